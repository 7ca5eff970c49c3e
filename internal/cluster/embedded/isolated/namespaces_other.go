//go:build !linux

package isolated

import (
	"errors"
	"runtime"
	"syscall"
)

func namespaces() (*syscall.SysProcAttr, error) {
	return nil, errors.New(runtime.GOOS + " has none: they are Linux's")
}
