//go:build !linux

package nstest

import (
	"errors"
	"runtime"
	"syscall"
)

func namespaces() (*syscall.SysProcAttr, error) {
	return nil, errors.New(runtime.GOOS + " has none: they are Linux's")
}
