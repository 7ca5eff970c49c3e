package tui_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/testing/tutortest"
	"github.com/ingresslab/ingresslab/internal/tutor"
	"github.com/ingresslab/ingresslab/internal/tutor/tui"
)

// dirEnv names a directory. With it, the test binary runs the tutor for the lab in that directory.
const dirEnv = "TUI_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirEnv); dir != "" {
		os.Exit(learn(dir)) //nolint:forbidigo // this is a separate program
	}
	os.Exit(m.Run()) //nolint:forbidigo // TestMain is the main function
}

func learn(dir string) int {
	session := &tutortest.Session{Dir: dir}
	host := session.Host()
	known, err := progress.NewStore(filepath.Join(dir, "progress.json")).Load()
	if err != nil {
		fmt.Println(err)
		return 3
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = tui.Run(ctx, tutor.New(tutortest.Course(), known.Labs["doors"]), host, tui.Options{
		Where: func() string { return "house (fake)  http 8080" }, Environment: os.Environ(), In: os.Stdin, Out: os.Stdout,
	})
	switch {
	case errors.Is(err, tui.ErrInterrupted):
		return 130
	case err != nil:
		fmt.Println(err)
		return 3
	}
	fmt.Println("bye")
	return 0
}

// house starts a lab, and a tutor for it in a terminal.
func house(t *testing.T, width, height int, environment ...string) (*tutortest.Session, *terminal) {
	t.Helper()
	s := &tutortest.Session{Dir: t.TempDir()}
	if _, err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	term := enter(t, s, width, height, environment...)
	term.see("The house stands")
	return s, term
}

func enter(t *testing.T, s *tutortest.Session, width, height int, environment ...string) *terminal {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), dirEnv+"="+s.Dir, "TERM=vt220", "NO_COLOR="), environment...)
	return open(t, cmd, width, height)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysRunLab(t *testing.T) {
	s, term := house(t, 80, 24)
	term.see("✓ The house stands")
	term.see("Press enter for the next page")
	term.see("$ kubectl get doors")
	term.press("\r")
	term.see("▸ The front door is open")
	term.see("expected 200, observed 404")
	must(t, s.Put("done-front", ""))
	term.see("✓ The front door is open")
	term.see("▸ A visitor has knocked")
	term.press("h")
	term.see("Hint 1/3: Is it locked?")
	term.press("h")
	term.see("Hint 2/3: Look at its lock.")
	term.press("s")
	term.see("Solve “A visitor has knocked” for you? (y/n)")
	term.press("n")
	term.seeNot("(y/n)")
	term.press("s")
	term.see("(y/n)")
	term.press("y")
	term.see("✓ A visitor has knocked")
	term.press("n")
	term.see("▸ The back door is open")
	term.press("b")
	term.see("2/5")
	term.press("n")
	term.see("3/5")
	term.press("k")
	term.see("go to the next page? (y/n)")
	term.press("y")
	term.see("1. the cat")
	term.press("1")
	term.see("You chose the cat; the right answer is the dog.")
	term.press("2")
	term.see("Right: the answer is the dog.")
	term.press("n")
	term.see("You completed 4 of 4 tasks; the tutor solved 2 of them")
	term.press("q")
	if code := term.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	p, err := progress.NewStore(filepath.Join(s.Dir, "progress.json")).Load()
	must(t, err)
	if r := p.Labs["doors"]; r.Finished == nil || r.Quiz == nil || !r.Quiz.Right || len(r.Tasks) != 4 {
		t.Errorf("saved %+v", r)
	}
}

func TestOverlaysCoverTheLesson(t *testing.T) {
	_, term := house(t, 80, 24)
	term.press("?")
	term.see("show a hint for the current task")
	term.press("\x1b")
	term.see("kubectl get doors")
	term.press("n")
	term.see("let a visitor knock")
	term.press("o")
	term.see("observed 404")
	term.see("GET http://front/")
	term.press("o")
	term.see("let a visitor knock")
	term.press("o")
	term.see("observed 404")
	term.press("n") // turning the page closes the details
	term.see("Open the back door, too.")
}

func TestRegressedTaskIsNotDone(t *testing.T) {
	s, term := house(t, 80, 24)
	term.press("n")
	term.see("2/5")
	must(t, s.Put("done-front", ""))
	must(t, s.Put("done-knocked", ""))
	term.see("✓ The front door is open")
	term.see("All tasks on this page are done.")
	must(t, s.Drop("done-front"))
	term.see("✗ The front door is open (no longer done)")
	term.seeNot("All tasks on this page are done.")
}

func TestEverySizeShowsTaskAndKeys(t *testing.T) {
	_, term := house(t, 80, 24)
	term.press("n")
	for _, size := range [][2]int{{60, 20}, {140, 40}, {40, 12}, {80, 24}} {
		term.resize(size[0], size[1])
		term.until(fmt.Sprintf("header, task, and keys at %v", size), func(p string) bool {
			lines := strings.Split(p, "\n")
			return strings.Contains(lines[0], "Lab 7") && strings.Contains(lines[0], " 2/5") && strings.Contains(p, "▸ The front door is open") &&
				strings.Contains(lines[len(lines)-1], "enter next")
		})
	}
	term.resize(20, 5)
	term.see("too small")
	term.resize(80, 24)
	term.see("▸ The front door is open")
}

func TestNoColorDisablesColors(t *testing.T) {
	_, term := house(t, 80, 24, "NO_COLOR=yes", "TERM=xterm-256color")
	term.press("n")
	term.see("let a visitor knock")
	if term.colored {
		t.Error("the output has colors")
	}
	_, term = house(t, 80, 24, "TERM=xterm-256color")
	term.press("n")
	term.see("let a visitor knock")
	term.mu.Lock()
	defer term.mu.Unlock()
	if !term.colored {
		t.Error("the output has no colors without NO_COLOR, so the test checks nothing")
	}
}

func TestTerminalIsRestored(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*terminal)
		code int
	}{
		"q":      {func(s *terminal) { s.press("q") }, 0},
		"ctrl-c": {func(s *terminal) { s.press("\x03") }, 130},
	} {
		t.Run(name, func(t *testing.T) {
			_, term := house(t, 80, 24)
			term.mu.Lock()
			if !term.alt || !term.hidden {
				t.Errorf("alternate screen %v, cursor hidden %v: want both", term.alt, term.hidden)
			}
			term.mu.Unlock()
			c.end(term)
			if code := term.exit(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			term.mu.Lock()
			defer term.mu.Unlock()
			if term.alt || term.hidden {
				t.Errorf("alternate screen %v, cursor hidden %v: want neither", term.alt, term.hidden)
			}
		})
	}
}

func TestProgressSurvivesKill(t *testing.T) {
	s, term := house(t, 80, 24)
	term.press("n")
	term.see("2/5")
	must(t, s.Put("done-front", ""))
	term.see("✓ The front door is open")
	must(t, term.cmd.Process.Signal(syscall.SIGKILL))
	term.exit()
	term = enter(t, s, 80, 24)
	term.see("2/5")
	term.see("✓ The front door is open")
}

func TestRestore(t *testing.T) {
	s, term := house(t, 80, 24)
	must(t, s.Put("lost", "namespace"))
	term.see("The namespace is missing.")
	term.press("R")
	term.see("Everything that the lab needs is restored.")
	must(t, s.Put("down", "connection refused"))
	term.see("The API server has not answered since")
	must(t, s.Put("gone", "there is no cluster"))
	term.see("The cluster no longer exists")
	term.press("R")
	term.see("The cluster and the controller")
	term.see("✓ The house stands")
	term.press("q")
	if code := term.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
