package nodeimage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// ErrCannotBuild means that this machine cannot build a node image. The wrapping error names the
// missing requirement and the alternative.
var ErrCannotBuild = errors.New("cannot build a node image on this machine")

// alternative is the advice for a machine that cannot build.
const alternative = "give Docker access to an image registry, or load an image from another machine (docs/node-image.md)"

// host describes the machine. Tests replace it.
type host struct {
	system string // a GOOS value
	root   bool
	find   func(program string) (path string, err error)
	free   func(path string) (bytes uint64, err error)
}

func thisHost() host {
	return host{system: runtime.GOOS, root: os.Geteuid() == 0, find: exec.LookPath, free: freeBytes}
}

// Disk space for a build. A complete build needs 2 GiB for Go's module cache and 4 GiB for its
// build cache. Stages need 2.5 GiB, and Docker needs 1.5 GiB to load the image. The constants
// include a margin of 10%. Only the file system of the cache directory is checked, because the
// others are usually the same.
const (
	gibibyte      = 1 << 30
	spaceFromZero = 9 * gibibyte
	spaceCompiled = 4 * gibibyte
	bytesPerMebi  = 1 << 20
)

// check checks the requirements of a build, which would otherwise fail after minutes.
func (h host) check(cacheDir string, compiled bool) error {
	if h.system != "linux" {
		return fmt.Errorf("%w: it needs Debian packages, and this machine runs %s; %s", ErrCannotBuild, h.system, alternative)
	}
	if _, err := h.find("apt-get"); err != nil {
		return fmt.Errorf("%w: it needs Debian or Ubuntu, and apt-get is not in PATH; %s", ErrCannotBuild, alternative)
	}
	if !h.root {
		return fmt.Errorf("%w: creating a root file system requires root; use sudo, or %s", ErrCannotBuild, alternative)
	}
	if _, err := h.find("go"); err != nil {
		return fmt.Errorf("%w: the go command is not in PATH; install Go", ErrCannotBuild)
	}
	needed := uint64(spaceFromZero)
	if compiled {
		needed = spaceCompiled
	}
	return h.checkSpace(ErrCannotBuild, cacheDir, "a build", needed)
}

func (h host) checkSpace(kind error, cacheDir, action string, needed uint64) error {
	free, err := h.free(cacheDir)
	if err == nil && free < needed {
		err = fmt.Errorf("%w: %s has %d MiB free, and %s needs %d MiB; set XDG_CACHE_HOME and GOCACHE to another disk",
			kind, cacheDir, free/bytesPerMebi, action, needed/bytesPerMebi)
	}
	return err
}
