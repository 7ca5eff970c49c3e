//go:build !unix

package nodeimage

import (
	"errors"
	"math"
	"os"
	"os/exec"
)

// Building needs Debian, and checkHost says so before any of this matters; looking for an
// image and pulling one work everywhere.

func ownGroup(*exec.Cmd) {}

func stopGroup(child *exec.Cmd) error { return child.Process.Kill() }

func killGroup(*exec.Cmd) {}

func freeBytes(string) (uint64, error) { return math.MaxUint64, nil }

func tryLock(*os.File) (bool, error) {
	return false, errors.New("locking the cache is not supported on this system")
}
