package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

// stage is one step of a build. It fills a directory. The result depends only on the inputs of its
// digest, so a directory with the same digest is reused.
type stage struct {
	name   string // for users
	key    string // letters only, for the name in the cache
	digest string // hexadecimal, of all inputs
	// run fills the empty directory dir. detail reports the current activity.
	run func(ctx context.Context, dir string, detail func(string)) error
}

// digestLength is the number of hexadecimal digits in names. 48 bits are enough for a few builds.
const digestLength = 12

// workPrefix marks incomplete directories.
const workPrefix = "work-"

// pipeline runs stages and keeps their results.
type pipeline struct {
	purpose  string // prefix of errors: "build node image"
	dir      string
	progress Progress
	fresh    bool // ignore results of earlier runs
}

// path returns the directory of a stage's result.
func (p pipeline) path(s stage) string {
	return filepath.Join(p.dir, s.key+"-"+s.digest[:digestLength])
}

// run runs the stages without a result in order, until one fails or ctx ends. The next run reuses
// the finished stages.
func (p pipeline) run(ctx context.Context, stages []stage) error {
	unlock, err := p.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.discardUnfinished(); err != nil {
		return err
	}
	for i, s := range stages {
		p.progress.Begin(i+1, len(stages), s.name)
		outcome, err := p.runStage(ctx, s)
		p.progress.End(outcome)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.purpose, s.name, err)
		}
	}
	return p.discardSuperseded(stages)
}

func (p pipeline) runStage(ctx context.Context, s stage) (outcome string, err error) {
	if err := context.Cause(ctx); err != nil {
		return OutcomeInterrupted, err
	}
	result := p.path(s)
	if _, err := os.Stat(result); err == nil {
		if !p.fresh {
			return OutcomeReused, nil
		}
		if err := os.RemoveAll(result); err != nil {
			return OutcomeFailed, err
		}
	}
	work, err := os.MkdirTemp(p.dir, workPrefix+s.key+"-")
	if err != nil {
		return OutcomeFailed, err
	}
	if err := s.run(ctx, work, p.progress.Detail); err != nil {
		err = errors.Join(err, os.RemoveAll(work))
		if ctx.Err() != nil {
			return OutcomeInterrupted, err
		}
		return OutcomeFailed, err
	}
	// The rename is atomic, so a result is always complete.
	if err := os.Rename(work, result); err != nil {
		return OutcomeFailed, err
	}
	return OutcomeDone, nil
}

// lock waits until no other build uses the cache. The kernel releases the lock of a killed build.
func (p pipeline) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create cache directory: %w", err)
	}
	return filelock.Acquire(ctx, filepath.Join(p.dir, "lock"), func() {
		p.progress.Note("waiting for another build of the node image or the control plane")
	})
}

// discardUnfinished removes the directories of killed builds.
func (p pipeline) discardUnfinished() error {
	return p.discard(func(name string) bool { return strings.HasPrefix(name, workPrefix) })
}

// discardSuperseded removes older results of the same stages.
func (p pipeline) discardSuperseded(stages []stage) error {
	return p.discard(func(name string) bool {
		for _, s := range stages {
			if strings.HasPrefix(name, s.key+"-") {
				return name != filepath.Base(p.path(s))
			}
		}
		return false
	})
}

func (p pipeline) discard(match func(name string) bool) error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("read cache directory: %w", err)
	}
	var failures []error
	for _, entry := range entries {
		if match(entry.Name()) {
			failures = append(failures, os.RemoveAll(filepath.Join(p.dir, entry.Name())))
		}
	}
	return errors.Join(failures...)
}

// Progress shows the progress to a user. Calls are not concurrent.
type Progress interface {
	// Begin starts a stage. number counts from 1 to total.
	Begin(number, total int, name string)
	// Detail reports the current activity of the stage. It can be called very often.
	Detail(text string)
	// End ends the stage. outcome is one of the constants.
	End(outcome string)
	// Note reports a message that belongs to no stage.
	Note(text string)
}

// Outcomes of a stage.
const (
	OutcomeDone        = "done"
	OutcomeReused      = "cached" // the result of an earlier build
	OutcomeFailed      = "failed"
	OutcomeInterrupted = "interrupted"
)

// silent is the default Progress.
type silent struct{}

func (silent) Begin(int, int, string) {}
func (silent) Detail(string)          {}
func (silent) End(string)             {}
func (silent) Note(string)            {}
