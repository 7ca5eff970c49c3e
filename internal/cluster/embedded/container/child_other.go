//go:build !linux

package container

import "errors"

// RunChild returns an error: containers require Linux.
func RunChild() error { return errors.New("containers require Linux") }
