package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// Logs writes the logs of the control plane, and those of each node's containers in a directory.
func (p *provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.Existing(ctx, name); err != nil {
		return err
	}
	from := p.ClusterDir(name)
	err := copyLogs(ctx, controlplane.LogDir(from), dir)
	if err == nil {
		err = copyLogs(ctx, supervisor.NodesDir(from), dir)
	}
	if err != nil {
		return fmt.Errorf("logs of cluster %q: %w", name, err)
	}
	return nil
}

// copyLogs copies all logs below a directory. It ignores logs that disappear during the copy.
func copyLogs(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir() || filepath.Ext(path) != ".log":
			return nil
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		target := filepath.Join(to, relative)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(target), 0o755)
		}
		if err == nil {
			err = os.WriteFile(target, text, 0o600)
		}
		return err
	})
}

// FailureLog joins the last 64 KiB of each log of the supervisor and the control plane.
func (p *provider) FailureLog(name string, _ error) []byte {
	const limit = 64 << 10
	files, err := filepath.Glob(filepath.Join(controlplane.LogDir(p.ClusterDir(name)), "*.log"))
	if err != nil {
		return nil
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue
		}
		all = append(all, "==> "+filepath.Base(file)+" <==\n"...)
		all = append(all, text[max(0, len(text)-limit):]...)
	}
	return all
}
