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

// newHouse is a lab at its start.
func newHouse(t *testing.T) *tutortest.Session {
	t.Helper()
	s := &tutortest.Session{Dir: t.TempDir()}
	if _, err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// say runs the plain tutor with those words, and returns what it said.
func say(t *testing.T, s *tutortest.Session, words ...string) string {
	t.Helper()
	var out bytes.Buffer
	teacher := tutor.New(tutortest.Course(), progress.Record{})
	if err := tutor.Plain(t.Context(), teacher, s.Host(), strings.NewReader(strings.Join(words, "\n")), &out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r\b") {
		t.Errorf("there are control characters in it:\n%q", out.String())
	}
	return out.String()
}

// inOrder fails unless the texts are in what was said, in this order.
func inOrder(t *testing.T, said string, texts ...string) {
	t.Helper()
	rest := said
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("%q is not there, or not in this order:\n%s", text, said)
		}
		rest = after
	}
}

func TestPlainGoesThroughALabByWords(t *testing.T) {
	said := say(t, newHouse(t), "next", "hint", "hint", "why", "solve", "solve", "next", "skip", "1", "2", "next")
	inOrder(t, said,
		"Lab 7, Doors to open. Page 1 of 5: The house", "$ kubectl get doors",
		"✓ The house stands",
		"Page 2 of 5: The front door", "to do: The front door is open (now: status: expected 200, observed 404)",
		"Seen: door/front spec.lock: expected open, found shut", "Hint 1 of 3: Is it locked?", "Hint 2 of 3: Look at its lock.",
		"GET http://front/",
		"Solving “The front door is open” ...", "✓ Solved for you: The front door is open",
		"✓ Solved for you: Somebody has knocked", "That is all on this screen.",
		"Page 3 of 5: The back door", "✓ Solved for you: The back door is open",
		"Page 4 of 5", "Who answers?", "1  the cat",
		"You said the cat; the cluster says the dog.", "Cats do not answer.",
		"Right: it is the dog.",
		"Page 5 of 5: Done", "4 of 4 tasks are done, 3 of them by the tutor.",
	)
}

func TestPlainAsksBeforeAReset(t *testing.T) {
	s := newHouse(t)
	said := say(t, s, "skip", "solve", "reset", "no", "tasks", "reset", "yes", "tasks")
	inOrder(t, said, "(yes or no)", "done: The front door is open", "(yes or no)", "Everything is as at the start.", "to do: The front door is open")
}

func TestPlainHelpsWithWords(t *testing.T) {
	said := say(t, newHouse(t), "hnit", "xyzzy", "help")
	inOrder(t, said, `Unknown word "hnit"; did you mean "hint"?`, `Unknown word "xyzzy"; help lists them.`, "restore")
}

func TestPlainSaysWhatIsGoneAndRestoresIt(t *testing.T) {
	s := newHouse(t)
	for name, content := range map[string]string{"down": "connection refused", "gone": "there is no cluster"} {
		if err := s.Put(name, content); err != nil {
			t.Fatal(err)
		}
	}
	said := say(t, s, "restore", "tasks")
	inOrder(t, said, "! The cluster is gone", "there is no cluster", "The cluster is up", "done: The house stands")
}

// A student works elsewhere while nobody types; the words that wait are taken when the screen is done.
func TestPlainTicksAsTasksComeTrue(t *testing.T) {
	s := newHouse(t)
	in, words := io.Pipe()
	out := &saying{heard: make(chan string, 1000)}
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
		t.Errorf("the end of the input is no error, got %v", err)
	}
}

func TestPlainEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, words := io.Pipe()
	defer func() { _ = words.Close() }()
	out := &saying{heard: make(chan string, 1000)}
	done := make(chan error)
	go func() {
		done <- tutor.Plain(ctx, tutor.New(tutortest.Course(), progress.Record{}), newHouse(t).Host(), in, out)
	}()
	out.wait(t, "The house")
	cancel()
	if err := <-done; err != context.Canceled { //nolint:errorlint // nothing is to be wrapped around it
		t.Errorf("got %v, want the context's", err)
	}
}

// saying is what was said so far.
type saying struct {
	mu    sync.Mutex
	all   string
	heard chan string
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all += string(p)
	s.heard <- s.all
	return len(p), nil
}

func (s *saying) wait(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case all := <-s.heard:
			if strings.Contains(all, text) {
				return
			}
		case <-timeout:
			t.Fatalf("never said %q; said was:\n%s", text, s.all)
		}
	}
}
