package cli

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func noEnv(string) string { return "" }

// Without a terminal, the display prints a line when a step ends, and further lines during a long step.
func TestDisplayWithoutTerminal(t *testing.T) {
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

func TestDisplayDropsStepWithoutWork(t *testing.T) {
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

// On a terminal, the bottom line is animated, is cut to the width, and disappears when its step ends. The remaining lines equal
// those without a terminal.
func TestDisplayOnTerminal(t *testing.T) {
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

// sleep advances the fake clock of a synctest bubble.
func sleep(d time.Duration) { <-time.After(d) }
