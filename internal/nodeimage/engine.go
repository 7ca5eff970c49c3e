package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// ErrNoEngine means that Docker does not work. The wrapping error has the reason and the fix.
var ErrNoEngine = errors.New("no Docker engine")

// engine runs the docker command. kind runs it, too, with the same contexts, hosts and credentials.
type engine struct{ runner runner }

// has reports whether Docker has the image.
func (e engine) has(ctx context.Context, ref string) (bool, error) {
	_, err := output(ctx, e.runner, command{name: "docker", args: []string{"image", "inspect", "--format", "{{.Id}}", ref}})
	if err == nil {
		return true, nil
	}
	if failed, ok := errors.AsType[*failure](err); ok && strings.Contains(strings.ToLower(failed.tail), "no such image") {
		return false, nil
	}
	return false, explainEngine(err)
}

// explainEngine adds the fix for a docker command that does not work.
func explainEngine(err error) error {
	const remedy = "on Debian or Ubuntu, run `make engine`; elsewhere, install and start Docker"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: the docker command is not in PATH; %s", ErrNoEngine, remedy)
	}
	return fmt.Errorf("%w: %s; %s", ErrNoEngine, reason(err), remedy)
}

// Time limits of a pull. If no registry answers, a build follows. A slow download gets more time.
const (
	firstAnswer = 10 * time.Second
	nextAnswer  = 10 * time.Minute // long, because docker reports complete layers, not bytes
)

var (
	errNoAnswer = fmt.Errorf("no registry answered within %s", firstAnswer)
	errStalled  = fmt.Errorf("no progress for %s", nextAnswer)
)

// pull pulls an image. It fails if the registry does not answer in time.
func (e engine) pull(ctx context.Context, ref string, detail func(string)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(firstAnswer, func() { cancel(errNoAnswer) })
	defer silence.Stop()
	stalled := time.AfterFunc(nextAnswer, func() { cancel(errStalled) })
	defer stalled.Stop()
	return e.runner.run(ctx, command{
		name: "docker",
		args: []string{"pull", ref},
		line: func(line string) {
			silence.Stop()
			stalled.Reset(nextAnswer)
			detail(line)
		},
	})
}

func (e engine) load(ctx context.Context, archive string) error {
	err := e.runner.run(ctx, command{name: "docker", args: []string{"load", "--quiet", "--input", archive}})
	if err != nil {
		return fmt.Errorf("load node image into Docker: %w", err)
	}
	return nil
}

// removeOthers removes older images. It ignores errors, because a cluster might still use an image.
func (e engine) removeOthers(ctx context.Context, repository, keep string) error {
	list, err := output(ctx, e.runner, command{
		name: "docker", args: []string{"image", "list", "--format", "{{.Repository}}:{{.Tag}}", repository},
	})
	if err != nil {
		return fmt.Errorf("list node images: %w", err)
	}
	for _, ref := range strings.Fields(list) {
		if ref == keep {
			continue
		}
		err := e.runner.run(ctx, command{name: "docker", args: []string{"image", "rm", ref}})
		var failed *failure
		if err != nil && !errors.As(err, &failed) {
			return err
		}
	}
	return nil
}

// ErrCannotBuild means that this machine cannot build a node image. The wrapping error says why.
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

// Disk space for a build, with a margin of 10%: 2 GiB for Go's module cache, 4 GiB for its build
// cache, 2.5 GiB for stages, and 1.5 GiB for Docker, usually all on the cache's file system.
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
