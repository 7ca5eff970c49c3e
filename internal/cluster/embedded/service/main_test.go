package service

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
