package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// ErrNoEngine says that Docker cannot be used. The message that wraps it says why and
// what to do.
var ErrNoEngine = errors.New("no Docker engine")

// engine is the docker command. kind uses the same command, and with it the same
// settings of contexts, hosts and credentials.
type engine struct{ runner runner }

// has tells whether Docker has the image.
func (e engine) has(ctx context.Context, ref string) (bool, error) {
	_, err := output(ctx, e.runner, command{name: "docker", args: []string{"image", "inspect", "--format", "{{.Id}}", ref}})
	if err == nil {
		return true, nil
	}
	var failed *failure
	if errors.As(err, &failed) && strings.Contains(strings.ToLower(failed.tail), "no such image") {
		return false, nil
	}
	return false, explainEngine(err)
}

// explainEngine says what to do about a docker command that cannot work at all.
func explainEngine(err error) error {
	const remedy = "on Debian or Ubuntu run `make engine`, elsewhere install Docker and start it"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: there is no docker command: %s", ErrNoEngine, remedy)
	}
	return fmt.Errorf("%w: %s: %s", ErrNoEngine, reason(err), remedy)
}

// Limits on a pull. Where no registry can be reached the answer must come fast, because a
// build follows; where one can, a slow line must not be taken for none.
const (
	firstAnswer = 10 * time.Second
	nextAnswer  = 10 * time.Minute // docker tells of layers, not of bytes
)

var (
	errNoAnswer = fmt.Errorf("no registry answered within %s", firstAnswer)
	errStalled  = fmt.Errorf("nothing happened for %s", nextAnswer)
)

// pull fetches an image and gives up when the registry is silent.
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

// load hands an archive to Docker.
func (e engine) load(ctx context.Context, archive string) error {
	err := e.runner.run(ctx, command{name: "docker", args: []string{"load", "--quiet", "--input", archive}})
	if err != nil {
		return fmt.Errorf("load node image into Docker: %w", err)
	}
	return nil
}

// removeOthers removes the images of a repository except for one. An image that a cluster
// still runs stays: Docker refuses, and that is no failure of ours.
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
