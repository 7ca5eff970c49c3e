//go:build linux

package network_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/isolated"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

func TestCheckAllowsWhatTheseTestsHave(t *testing.T) {
	isolated.Need(t)
	if err := network.Check(); err != nil {
		t.Fatalf("%v", err)
	}
}
