//go:build linux

package network_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

func TestCheckAllowsWhatTheseTestsHave(t *testing.T) {
	nstest.Require(t)
	if err := network.Check(); err != nil {
		t.Fatalf("%v", err)
	}
}
