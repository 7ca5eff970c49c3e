package nodeimage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// ErrCannotBuild says that a node image cannot be built on this machine. The message that
// wraps it says what is missing, and what else can be done.
var ErrCannotBuild = errors.New("a node image cannot be built here")

// alternative is the way out for a machine that cannot build.
const alternative = "let Docker reach an image registry, or load an image that was built elsewhere (docs/node-image.md)"

// host is what a build needs to know about the machine. Tests make up their own.
type host struct {
	system string // as GOOS has it
	root   bool
	find   func(program string) (path string, err error)
	free   func(path string) (bytes uint64, err error)
}

func thisHost() host {
	return host{system: runtime.GOOS, root: os.Geteuid() == 0, find: exec.LookPath, free: freeBytes}
}

// Space that a build takes. From zero these are 2 GiB of sources in Go's module cache, 4 of
// compiled packages in its build cache, 2.5 of stages at work, and 1.5 in Docker while it
// loads the image, with a tenth on top; usually all on one file system, and it is the cache
// directory's that is looked at.
const (
	gibibyte      = 1 << 30
	spaceFromZero = 9 * gibibyte
	spaceCompiled = 4 * gibibyte
	bytesPerMebi  = 1 << 20
)

// check looks, before any work, for what a build would miss after minutes of it.
func (h host) check(cacheDir string, compiled bool) error {
	if h.system != "linux" {
		return fmt.Errorf("%w: it is made of Debian packages, and this is %s: %s", ErrCannotBuild, h.system, alternative)
	}
	if _, err := h.find("apt-get"); err != nil {
		return fmt.Errorf("%w: it takes Debian or Ubuntu, and there is no apt-get: %s", ErrCannotBuild, alternative)
	}
	if !h.root {
		return fmt.Errorf("%w: making a root file system takes root: use sudo, or %s", ErrCannotBuild, alternative)
	}
	if _, err := h.find("go"); err != nil {
		return fmt.Errorf("%w: there is no go command in PATH", ErrCannotBuild)
	}
	needed := uint64(spaceFromZero)
	if compiled {
		needed = spaceCompiled
	}
	free, err := h.free(cacheDir)
	if err != nil {
		return err
	}
	if free < needed {
		return fmt.Errorf("%w: %s has %d MiB free, and a build takes %d MiB",
			ErrCannotBuild, cacheDir, free/bytesPerMebi, needed/bytesPerMebi)
	}
	return nil
}
