//go:build !linux

package nstest

import "os/exec"

var isolate func(cmd *exec.Cmd)
