//go:build !unix

package nodeimage

import (
	"math"
	"os/exec"
)

// A build needs Debian (host.check), but finding and pulling an image works on every system.

func ownGroup(*exec.Cmd) {}

func stopGroup(child *exec.Cmd) error { return child.Process.Kill() }

func killGroup(*exec.Cmd) {}

func freeBytes(string) (uint64, error) { return math.MaxUint64, nil }
