//go:build !linux

package network

import (
	"fmt"
	"runtime"
)

// Check says that there are no namespaces.
func Check() error {
	return fmt.Errorf("an embedded cluster needs the namespaces of Linux, and this is %s", runtime.GOOS)
}
