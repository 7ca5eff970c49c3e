//go:build !linux

package container

import "errors"

// RunChild is for Linux only.
func RunChild() error { return errors.New("containers need Linux") }
