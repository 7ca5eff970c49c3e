package progress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingresslab/ingresslab/internal/progress"
)

// writerEnv names a file. With it, this test binary writes progress to that file until it is
// killed.
const writerEnv = "PROGRESS_TEST_WRITER"

func TestMain(m *testing.M) {
	if file := os.Getenv(writerEnv); file != "" {
		writeForever(file)
	}
	os.Exit(m.Run()) //nolint:forbidigo // TestMain is the main function
}

func writeForever(file string) {
	store := progress.NewStore(file)
	for i := 0; ; i++ {
		if err := store.Put(context.Background(), "busy", record(i)); err != nil {
			fmt.Println(err)
			os.Exit(1) //nolint:forbidigo // this is a separate program
		}
		fmt.Println("written")
	}
}

// record returns a record that is too large for a single atomic write.
func record(n int) progress.Record {
	r := progress.Record{Page: "One", Number: n, Tasks: map[string]progress.Task{}}
	for i := range 400 {
		r.Tasks[fmt.Sprintf("task-%d", i)] = progress.Task{Done: time.Unix(int64(n), 0).UTC(), Hints: i}
	}
	return r
}

func newStore(t *testing.T) *progress.Store {
	t.Helper()
	return progress.NewStore(filepath.Join(t.TempDir(), "state", "progress.json"))
}

func load(t *testing.T, s *progress.Store) progress.Progress {
	t.Helper()
	p, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPutAndForget(t *testing.T) {
	s := newStore(t)
	if p := load(t, s); len(p.Labs) != 0 || p.Last != "" {
		t.Fatalf("progress of a new store: %+v", p)
	}
	for _, lab := range []string{"tls", "canary"} {
		if err := s.Put(t.Context(), lab, record(len(lab))); err != nil {
			t.Fatal(err)
		}
	}
	p := load(t, s)
	if p.Last != "canary" {
		t.Errorf("last is %q, want canary", p.Last)
	}
	if diff := cmp.Diff(map[string]progress.Record{"tls": record(3), "canary": record(6)}, p.Labs); diff != "" {
		t.Error(diff)
	}
	if err := s.Forget(t.Context(), "canary"); err != nil {
		t.Fatal(err)
	}
	if p := load(t, s); p.Last != "" || len(p.Labs) != 1 {
		t.Errorf("after Forget(canary): last %q, %d labs", p.Last, len(p.Labs))
	}
	if err := s.Forget(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if p := load(t, s); len(p.Labs) != 0 {
		t.Errorf("after Forget of all labs: %+v", p)
	}
}

// Several tutors, each in its own lab, write the same file.
func TestConcurrentWritersKeepAllLabs(t *testing.T) {
	s := newStore(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := s.Put(t.Context(), fmt.Sprintf("lab-%d", i), record(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if p := load(t, s); len(p.Labs) != 8 {
		t.Errorf("%d labs, want 8", len(p.Labs))
	}
}

// Kill a writer repeatedly at arbitrary moments. The file stays valid, and the next writer doesn't
// wait.
func TestProgressSurvivesKill(t *testing.T) {
	s := newStore(t)
	if err := s.Put(t.Context(), "quiet", record(1)); err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		writer := exec.CommandContext(t.Context(), os.Args[0])
		writer.Env = append(os.Environ(), writerEnv+"="+s.File())
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range round + 1 {
			if !lines.Scan() || lines.Text() != "written" {
				t.Fatalf("the writer printed %q", lines.Text())
			}
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Wait() // it was killed
		p := load(t, s)
		if len(p.Labs["quiet"].Tasks) != 400 || len(p.Labs["busy"].Tasks) != 400 {
			t.Fatalf("round %d: quiet has %d tasks, busy %d, want 400", round, len(p.Labs["quiet"].Tasks), len(p.Labs["busy"].Tasks))
		}
	}
	if err := s.Put(t.Context(), "after", record(2)); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFileIsRenamed(t *testing.T) {
	for name, content := range map[string]string{"truncated": `{"version": 1, "labs": {"tl`, "no version": `{}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			if err := os.MkdirAll(filepath.Dir(s.File()), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.File(), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := s.Put(t.Context(), "tls", record(1))
			var damaged *progress.DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("error %v, want a DamagedError", err)
			}
			if kept, err := os.ReadFile(damaged.Kept); err != nil || string(kept) != content {
				t.Errorf("kept %q (%v), want %q", kept, err, content)
			}
			if p := load(t, s); len(p.Labs) != 1 {
				t.Errorf("Put with a damaged file lost its record: %+v", p)
			}
		})
	}
}

// While one process renames a damaged file, another must not treat the new file as damaged.
func TestDamagedFileIsRenamedOnce(t *testing.T) {
	s := newStore(t)
	if err := s.Put(t.Context(), "tls", record(1)); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if err := os.WriteFile(s.File(), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		var reports atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = s.Load()
				} else {
					err = s.Put(t.Context(), fmt.Sprintf("lab-%d", i), record(i))
				}
				var damaged *progress.DamagedError
				if errors.As(err, &damaged) {
					reports.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if p := load(t, s); len(p.Labs) != 4 || reports.Load() != 1 {
			t.Fatalf("%d labs and %d reports of damage, want 4 and 1", len(p.Labs), reports.Load())
		}
	}
}

func TestNewerFormatIsNotOverwritten(t *testing.T) {
	s := newStore(t)
	if err := s.Put(t.Context(), "tls", record(1)); err != nil {
		t.Fatal(err)
	}
	const newer = `{"version": 2, "labs": []}`
	for _, content := range []string{newer, `{"version": 2, "labs": {}}`} {
		if err := os.WriteFile(s.File(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Put(t.Context(), "tls", record(2))
		if err == nil || !strings.Contains(err.Error(), "newer ingresslab") {
			t.Errorf("%s: error %v, want one about a newer ingresslab", content, err)
		}
		if now, err := os.ReadFile(s.File()); err != nil || string(now) != content {
			t.Errorf("the file became %q (%v)", now, err)
		}
	}
}

func TestCloneIsDeep(t *testing.T) {
	at := time.Unix(1, 0).UTC()
	r := record(1)
	r.Finished, r.Quiz = &at, &progress.Quiz{Choice: "200"}
	c := r.Clone()
	if diff := cmp.Diff(r, c); diff != "" {
		t.Error(diff)
	}
	*c.Finished, c.Quiz.Choice, c.Tasks["task-1"] = time.Unix(2, 0), "404", progress.Task{}
	if !at.Equal(time.Unix(1, 0)) || r.Quiz.Choice != "200" || r.Tasks["task-1"].Hints != 1 {
		t.Errorf("a change of the copy changed %v, %v, %v", r.Finished, r.Quiz, r.Tasks["task-1"])
	}
}
