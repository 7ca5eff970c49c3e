package filelock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

func TestAcquireAdmitsOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "dir", "x.lock")
	var holders, most int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			release, err := filelock.Acquire(t.Context(), path, func() {})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			holders++
			most = max(most, holders)
			mu.Unlock()
			mu.Lock()
			holders--
			mu.Unlock()
			release()
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d holders at once, want 1", most)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lock file: got %v, want it removed", err)
	}
}

func TestAcquireStopsWithContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	release, err := filelock.Acquire(t.Context(), path, func() { t.Error("waiting was called for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err = filelock.Acquire(ctx, path, func() { calls++; cancel() })
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("got %v after %d calls of waiting, want context.Canceled after 1", err, calls)
	}
}
