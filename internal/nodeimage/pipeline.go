package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stage is one step of a build. It fills a directory and depends on nothing but what its
// digest covers, so a directory of that digest is as good as running it.
type stage struct {
	name   string // for people
	key    string // for the cache: letters only
	digest string // hexadecimal, of everything that shapes the result
	// run fills dir, which is empty. detail tells what it does right now.
	run func(ctx context.Context, dir string, detail func(string)) error
}

// digestLength is how many hexadecimal digits of a digest go into names. 48 bits are
// plenty for the handful of builds one machine ever keeps.
const digestLength = 12

// workPrefix marks directories that are not complete.
const workPrefix = "work-"

// pipeline keeps the results of stages.
type pipeline struct {
	purpose  string // what it is all for, as "build node image": errors begin with it
	dir      string
	progress Progress
	fresh    bool // do not use results of earlier runs
}

// path is where the result of a stage is, or will be.
func (p pipeline) path(s stage) string {
	return filepath.Join(p.dir, s.key+"-"+s.digest[:digestLength])
}

// run runs the stages that have no result yet, in order. It stops at the first failure or
// when ctx ends; what was finished stays and is found by the next run.
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
	// The rename is what makes the result exist: there never is a half of one.
	if err := os.Rename(work, result); err != nil {
		return OutcomeFailed, err
	}
	return OutcomeDone, nil
}

// lock makes sure of being the only build in this cache. The lock is the kernel's, so a
// build that was killed holds none.
func (p pipeline) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cache directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(p.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock cache directory: %w", err)
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for waiting := false; ; waiting = true {
		held, err := tryLock(file)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
		}
		if held {
			return func() { _ = file.Close() }, nil
		}
		if !waiting {
			p.progress.Note("another build of the node image or the control plane is running: waiting for it")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		case <-ticker.C:
		}
	}
}

// discardUnfinished removes what a build that was killed could not.
func (p pipeline) discardUnfinished() error {
	return p.discard(func(name string) bool { return strings.HasPrefix(name, workPrefix) })
}

// discardSuperseded removes results of other digests of the same stages.
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
