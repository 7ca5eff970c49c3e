package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// counted returns a stage that creates a file and counts its runs.
func counted(key, digest string, runs *int, fail *error) stage {
	return stage{
		name: key, key: key, digest: strings.Repeat(digest, 64),
		run: func(_ context.Context, dir string, _ func(string)) error {
			*runs++
			if err := os.WriteFile(filepath.Join(dir, "half"), nil, 0o600); err != nil {
				return err
			}
			if fail != nil {
				return *fail
			}
			return nil
		},
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var result []string
	for _, entry := range entries {
		if entry.Name() != "lock" {
			result = append(result, entry.Name())
		}
	}
	return result
}

func TestPipelineResumes(t *testing.T) {
	dir := t.TempDir()
	var first, second int
	broken := errors.New("no space")
	progress := &recorder{}
	p := pipeline{dir: dir, progress: progress}
	stages := []stage{counted("one", "a", &first, nil), counted("two", "b", &second, &broken)}

	err := p.run(t.Context(), stages)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "two") {
		t.Fatalf("the stage or the reason is missing: %v", err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{"one-aaaaaaaaaaaa"}) {
		t.Errorf("the failed stage left %v", left)
	}
	broken = nil
	if err := p.run(t.Context(), stages); err != nil {
		t.Fatal(err)
	}
	if first != 1 || second != 2 {
		t.Errorf("ran the first stage %d times and the second %d times, want 1 and 2", first, second)
	}
	want := []string{"one: done", "two: failed", "one: cached", "two: done"}
	if !slices.Equal(progress.outcomes, want) {
		t.Errorf("outcomes are %q, want %q", progress.outcomes, want)
	}
}

func TestPipelineRemovesOldResults(t *testing.T) {
	dir := t.TempDir()
	var runs int
	p := pipeline{dir: dir, progress: silent{}}
	writeFile(t, filepath.Join(dir, "work-one-123", "half"), "") // from a killed build
	writeFile(t, filepath.Join(dir, "other", "file"), "")
	for _, digest := range []string{"a", "b"} {
		if err := p.run(t.Context(), []stage{counted("one", digest, &runs, nil)}); err != nil {
			t.Fatal(err)
		}
	}
	if left := names(t, dir); !slices.Equal(left, []string{"one-bbbbbbbbbbbb", "other"}) {
		t.Errorf("the cache contains %v", left)
	}
}

func TestPipelineRunsAllStagesIfFresh(t *testing.T) {
	var runs int
	stages := []stage{counted("one", "a", &runs, nil)}
	p := pipeline{dir: t.TempDir(), progress: silent{}}
	for _, fresh := range []bool{false, true} {
		p.fresh = fresh
		if err := p.run(t.Context(), stages); err != nil {
			t.Fatal(err)
		}
	}
	if runs != 2 {
		t.Errorf("ran %d times, want 2", runs)
	}
}

func TestPipelineStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var later int
	progress := &recorder{}
	p := pipeline{dir: t.TempDir(), progress: progress}
	interrupted := stage{
		name: "long", key: "long", digest: strings.Repeat("a", 64),
		run: func(ctx context.Context, _ string, _ func(string)) error {
			cancel()
			return context.Cause(ctx)
		},
	}
	err := p.run(ctx, []stage{interrupted, counted("later", "b", &later, nil)})
	if !errors.Is(err, context.Canceled) || later != 0 {
		t.Errorf("err = %v, and a later stage ran %d times", err, later)
	}
	if left := names(t, p.dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if !slices.Equal(progress.outcomes, []string{"long: interrupted"}) {
		t.Errorf("outcomes are %q", progress.outcomes)
	}
}

func TestPipelineWaitsForOtherBuild(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := pipeline{dir: dir, progress: silent{}}
		unlock, err := p.lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waiter := &recorder{}
		done := make(chan error, 1)
		go func() {
			release, err := pipeline{dir: dir, progress: waiter}.lock(t.Context())
			if err == nil {
				release()
			}
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the second build did not wait: %v", err)
		default:
		}
		if len(waiter.notes) != 1 {
			t.Errorf("notes are %q", waiter.notes)
		}
		unlock()
		if err := <-done; err != nil {
			t.Errorf("the second build did not get the lock: %v", err)
		}
	})
}
