package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// cleanUpTimeout bounds the removal that follows a failure or a Ctrl-C.
const cleanUpTimeout = 30 * time.Second

// Down implements cluster.Provider.
func (p *Provider) Down(ctx context.Context, name string, progress cluster.Progress) error {
	spec := cluster.Spec{Name: name}.WithDefaultName()
	if err := spec.Check(); err != nil {
		return err
	}
	name = spec.Name
	unlock, err := p.lock(ctx, name, progress)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := p.examine(name)
	if err != nil {
		return err
	}
	if c.state == cluster.Absent {
		progress.Note(fmt.Sprintf("there is no cluster %q", name))
		return p.remove(ctx, name, c.record)
	}
	return p.removeWithStep(ctx, name, c, progress)
}

func (p *Provider) removeWithStep(ctx context.Context, name string, c condition, progress cluster.Progress) (err error) {
	done := progress.Step("Removing cluster " + name)
	defer func() { done(err) }()
	return p.remove(ctx, name, c.record)
}

// cleanUp removes what a failed or canceled Up has made. The context of that Up may have ended, so its own time is bounded.
func (p *Provider) cleanUp(ctx context.Context, name string, rec *record, progress cluster.Progress) error {
	if _, err := os.Stat(p.store.ClusterDir(name)); errors.Is(err, fs.ErrNotExist) {
		return nil // it came to nothing before there was anything
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	log, logErr := os.ReadFile(p.store.LogFile(name))
	err := p.removeWithStep(ctx, name, condition{record: rec}, progress)
	if err == nil && logErr == nil {
		err = os.WriteFile(p.store.LogFile(name), log, 0o600)
	}
	if err != nil {
		return fmt.Errorf("clean up: %w; `ingresslab down --name %s` tries again", err, name)
	}
	return nil
}

// remove ends the supervisor, and with it everything that runs, and removes the context in the user's kubeconfig and the
// files. The record goes last, so that an interrupted removal is taken up by the next command.
func (p *Provider) remove(ctx context.Context, name string, rec *record) error {
	if rec != nil {
		if err := p.stop(ctx, rec); err != nil {
			return err
		}
	}
	p.drop(name)
	if err := p.unmerge(name, rec); err != nil {
		return err
	}
	if err := os.Remove(p.store.LogFile(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("log of cluster %q: %w", name, err)
	}
	return p.store.Forget(name)
}

// drop lets go of the leash of a supervisor that has ended.
func (p *Provider) drop(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held, ok := p.leashes[name]; ok {
		held.close()
		delete(p.leashes, name)
	}
}

// stop ends the supervisor of a cluster and waits until it has ended. By then the kernel has ended all that it started
// (pid_namespaces(7)).
func (p *Provider) stop(ctx context.Context, rec *record) error {
	if err := rec.Supervisor.end(ctx); err != nil {
		return fmt.Errorf("end the supervisor: %w", err)
	}
	return nil
}
