package cli

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func noEnv(string) string { return "" }

// Without a terminal every line stays: one when a step ends, and lines in
// between so that a long one is seen to go on.
func TestDisplayWithoutATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		d := newDisplay(&out, noEnv)
		quick, long := d.Step("Quick"), d.begin("Long")
		quick(nil)
		sleep(announceAfter + time.Second)
		d.detail(long, "compiling net/http")
		sleep(repeatAfter)
		d.Note("something to know")
		d.end(long, errors.New("no"))
		sleep(time.Hour)
		synctest.Wait()
		want := strings.Join([]string{
			"✓ Quick (0.0s)",
			"• Long ...",
			"• Long ... compiling net/http (17s)",
			"! something to know",
			"✗ Long (18s)",
		}, "\n") + "\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	})
}

func TestDisplayForgetsAStepWithNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		d := newDisplay(&out, noEnv)
		s := d.begin("Nothing to do")
		d.drop(s)
		d.end(s, nil)
		sleep(time.Hour)
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("said %q", out.String())
		}
	})
}

// On a terminal one line moves, is cut to the width, and goes when its step
// ends, so that what stays reads like the lines without a terminal.
func TestDisplayOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		d := newDisplay(&out, noEnv)
		d.live, d.width = true, func() int { return 20 }
		done := d.Step("A step with a long name")
		sleep(frameTime)
		synctest.Wait()
		if got := out.String(); got != "⠋ A step with a lo…" {
			t.Errorf("the moving line is %q", got)
		}
		done(nil)
		sleep(time.Hour)
		synctest.Wait()
		_, rest, _ := strings.Cut(out.String(), "\r\x1b[K")
		if rest != "✓ A step with a long name (0.1s)\n" {
			t.Errorf("after it ended: %q", rest)
		}
	})
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{
		300 * time.Millisecond: "0.3s", 12 * time.Second: "12s", 245 * time.Second: "4m05s",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// sleep lets the fake time of a synctest bubble pass.
func sleep(d time.Duration) { <-time.After(d) }
