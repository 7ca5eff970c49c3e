package tutor

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long a file has to be left alone: editors write one in several strokes.
	settle = 150 * time.Millisecond
	// rewatch is how often to see whether a directory that was removed is there again.
	rewatch = 2 * time.Second
)

// Watch returns a channel on which the names of manifests come that were written or removed; first, those that are not as
// start/ has them. It is closed when ctx ends.
func (f *Files) Watch(ctx context.Context) (<-chan []string, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", f.Space.Path, err)
	}
	if err := watcher.Add(f.Space.Path); err != nil {
		_ = watcher.Close()
		return nil, fmt.Errorf("watch %s: %w", f.Space.Path, err)
	}
	first, err := f.changed()
	if err != nil {
		_ = watcher.Close()
		return nil, fmt.Errorf("watch %s: %w", f.Space.Path, err)
	}
	out := make(chan []string)
	go func() {
		defer close(out)
		defer func() { _ = watcher.Close() }()
		f.watch(ctx, watcher, first, out)
	}()
	return out, nil
}

func (f *Files) watch(ctx context.Context, watcher *fsnotify.Watcher, first []string, out chan<- []string) {
	touched := map[string]bool{}
	for _, name := range first {
		touched[name] = true
	}
	settled := time.NewTimer(0)
	defer settled.Stop()
	again := time.NewTicker(rewatch)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-watcher.Events:
			if !open {
				return
			}
			if name := filepath.Base(e.Name); isManifest(name) && !e.Has(fsnotify.Chmod) {
				touched[name] = true
				settled.Reset(settle)
			}
		case err := <-watcher.Errors:
			_ = err // an overflow: the next save is seen again
		case <-again.C:
			_ = watcher.Add(f.Space.Path) // nothing happens while it is watched, nor while it is gone
		case <-settled.C:
			names := slices.Sorted(maps.Keys(touched))
			clear(touched)
			if len(names) == 0 {
				continue
			}
			select {
			case out <- names:
			case <-ctx.Done():
				return
			}
		}
	}
}
