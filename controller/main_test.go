package controller_test

import (
	"io"
	"testing"

	"k8s.io/klog/v2"
)

// TestMain discards the log of client-go's leader election.
func TestMain(m *testing.M) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	m.Run()
}
