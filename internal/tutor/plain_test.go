package tutor_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/testing/tutortest"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

// newHouse returns a lab at its start.
func newHouse(t *testing.T) *tutortest.Session {
	t.Helper()
	s := &tutortest.Session{Dir: t.TempDir()}
	if _, err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// say runs Plain with these commands and returns its output.
func say(t *testing.T, s *tutortest.Session, words ...string) string {
	t.Helper()
	var out bytes.Buffer
	teacher := tutor.New(tutortest.Course(), progress.Record{})
	if err := tutor.Plain(t.Context(), teacher, s.Host(), strings.NewReader(strings.Join(words, "\n")), &out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r\b") {
		t.Errorf("control characters in the output:\n%q", out.String())
	}
	return out.String()
}

// inOrder fails unless the output contains the texts in this order.
func inOrder(t *testing.T, output string, texts ...string) {
	t.Helper()
	rest := output
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("%q is missing or out of order:\n%s", text, output)
		}
		rest = after
	}
}

func TestPlainRunsLabByCommands(t *testing.T) {
	output := say(t, newHouse(t), "next", "hint", "hint", "why", "solve", "solve", "next", "skip", "1", "2", "next")
	inOrder(t, output,
		"Lab 7: Doors to open. Page 1 of 5: The house", "$ kubectl get doors",
		"✓ The house stands",
		"Page 2 of 5: The front door", "to do: The front door is open (now: status: expected 200, observed 404)",
		"Problem: door/front spec.lock: expected open, found shut", "Hint 1 of 3: Is it locked?", "Hint 2 of 3: Look at its lock.",
		"GET http://front/",
		"Solving “The front door is open” ...", "✓ Solved for you: The front door is open",
		"✓ Solved for you: A visitor has knocked", "All tasks on this page are done.",
		"Page 3 of 5: The back door", "✓ Solved for you: The back door is open",
		"Page 4 of 5: Quiz", "Who answers?", "1  the cat",
		"You chose the cat; the right answer is the dog.", "Cats do not answer.",
		"Right: the answer is the dog.",
		"Page 5 of 5: Summary", "You completed 4 of 4 tasks; the tutor solved 3 of them.",
	)
}

func TestPlainConfirmsReset(t *testing.T) {
	s := newHouse(t)
	output := say(t, s, "skip", "solve", "reset", "no", "tasks", "reset", "yes", "tasks")
	inOrder(t, output, "(yes or no)", "done: The front door is open", "(yes or no)", "The lab is reset.", "to do: The front door is open")
}

func TestPlainSuggestsCommands(t *testing.T) {
	output := say(t, newHouse(t), "hnit", "xyzzy", "help")
	inOrder(t, output, `Unknown command "hnit"; did you mean "hint"?`, `Unknown command "xyzzy"; help lists the commands.`, "restore")
}

func TestPlainRestoresCluster(t *testing.T) {
	s := newHouse(t)
	for name, content := range map[string]string{"down": "connection refused", "gone": "there is no cluster"} {
		if err := s.Put(name, content); err != nil {
			t.Fatal(err)
		}
	}
	output := say(t, s, "restore", "tasks")
	inOrder(t, output, "! The cluster no longer exists", "there is no cluster", "The cluster and the controller are running",
		"done: The house stands")
}

// After wait, the next command runs once all tasks on the page are done.
func TestPlainMarksTasksDoneWhileWaiting(t *testing.T) {
	s := newHouse(t)
	in, words := io.Pipe()
	out := &recorder{heard: make(chan string, 1000)}
	done := make(chan error)
	go func() {
		done <- tutor.Plain(t.Context(), tutor.New(tutortest.Course(), progress.Record{}), s.Host(), in, out)
	}()
	if _, err := io.WriteString(words, "next\nwait\nnext\n"); err != nil {
		t.Fatal(err)
	}
	out.wait(t, "to do: The front door is open")
	for _, id := range []string{"front", "knocked"} {
		if err := s.Put("done-"+id, ""); err != nil {
			t.Fatal(err)
		}
	}
	out.wait(t, "✓ The front door is open")
	out.wait(t, "Page 3 of 5")
	if err := words.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("error %v at the end of the input", err)
	}
}

func TestPlainReturnsErrorOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, words := io.Pipe()
	defer func() { _ = words.Close() }()
	out := &recorder{heard: make(chan string, 1000)}
	done := make(chan error)
	go func() {
		done <- tutor.Plain(ctx, tutor.New(tutortest.Course(), progress.Record{}), newHouse(t).Host(), in, out)
	}()
	out.wait(t, "The house")
	cancel()
	if err := <-done; err != context.Canceled { //nolint:errorlint // the error must not be wrapped
		t.Errorf("error %v, want the error of the context", err)
	}
}

// recorder records the output.
type recorder struct {
	mu    sync.Mutex
	all   string
	heard chan string
}

func (s *recorder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all += string(p)
	s.heard <- s.all
	return len(p), nil
}

func (s *recorder) wait(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case all := <-s.heard:
			if strings.Contains(all, text) {
				return
			}
		case <-timeout:
			t.Fatalf("the output lacks %q:\n%s", text, s.all)
		}
	}
}
