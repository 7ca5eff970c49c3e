package container_test

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// left counts what containers could leak in this program.
type left struct{ files, threads, mounts, children int }

func count(t testing.TB) left {
	t.Helper()
	var l left
	l.files = len(list(t, "/proc/self/fd"))
	l.mounts = strings.Count(read(t, "/proc/self/mountinfo"), "\n")
	for _, task := range list(t, "/proc/self/task") {
		l.threads++
		data, err := os.ReadFile("/proc/self/task/" + task + "/children")
		if err == nil { // unless the thread has ended
			l.children += len(strings.Fields(string(data)))
		}
	}
	return l
}

func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestContainersLeakNothing(t *testing.T) {
	h := runtimeOf(t)
	s := spec(t, "wait")
	round := func() {
		one := s
		one.Dir = t.TempDir()
		one.Log = ""
		c, err := h.Start(t.Context(), one)
		if err != nil {
			t.Error(err)
			return
		}
		var out bytes.Buffer
		for _, tty := range []bool{false, true} {
			_, err = c.Exec(t.Context(), container.Exec{Command: []string{"/bin/tool", "echo hi"}, Stdout: &out, TTY: tty})
			if err != nil || !strings.HasPrefix(out.String(), "hi") {
				t.Errorf("exec printed %q, %v", out.String(), err)
			}
		}
		if err := c.Signal(9); err != nil {
			t.Error(err)
		}
		<-c.Done()
		one.Command = []string{"nope"}
		if _, err := h.Start(t.Context(), one); err == nil {
			t.Error("program nope started")
		}
	}
	many := func(n int) {
		var wg sync.WaitGroup
		limit := make(chan struct{}, 4)
		for range n {
			limit <- struct{}{}
			wg.Go(func() { round(); <-limit })
		}
		wg.Wait()
	}
	many(8) // Go keeps some threads and files
	before := count(t)
	many(60)
	// Some threads can stay, but not one for each container.
	eventually(t, "as few files, mounts and children as before", func() bool {
		now := count(t)
		return now.files <= before.files && now.mounts <= before.mounts && now.children <= before.children && now.threads < before.threads+20
	})
}

func TestRunningContainersNeedNoThreads(t *testing.T) {
	h := runtimeOf(t)
	s := spec(t, "wait")
	s.Log = ""
	start(t, s) // Go keeps some threads
	before := count(t)
	const many = 60
	var all []container.Container
	for range many {
		one := s
		one.Dir = t.TempDir()
		c, err := h.Start(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if now := count(t); now.threads > before.threads+many/2 || now.children != before.children+many {
		t.Errorf("%d containers: from %+v to %+v", many, before, now)
	}
	for _, c := range all {
		if err := c.Signal(9); err != nil {
			t.Error(err)
		}
	}
	for _, c := range all {
		<-c.Done()
	}
}

func BenchmarkStart(b *testing.B) {
	h := runtimeOf(b)
	s := spec(b, "exit 0")
	for b.Loop() {
		c, err := h.Start(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		<-c.Done()
	}
}

func BenchmarkExec(b *testing.B) {
	s := spec(b, "wait")
	c := start(b, s)
	for b.Loop() {
		if _, err := c.Exec(b.Context(), container.Exec{Command: []string{"/bin/tool"}}); err != nil {
			b.Fatal(err)
		}
	}
}
