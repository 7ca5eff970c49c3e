package service

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/isolated"
)

func TestMain(m *testing.M) { isolated.Main(m) }
