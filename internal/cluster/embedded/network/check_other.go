//go:build !linux

package network

import (
	"fmt"
	"runtime"
)

// Check always fails, because embedded clusters need Linux.
func Check() error {
	return fmt.Errorf("embedded clusters need Linux namespaces, and this machine runs %s", runtime.GOOS)
}
