package relay_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a test has left a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
