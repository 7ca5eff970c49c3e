// Package tui is the full-screen front end of the tutor. It makes no decisions: it turns keys into
// commands of package tutor and draws the tutor's state after each event.
//
// Read tui.go for how it runs, model.go for keys and events, layout.go for the arrangement,
// panel.go for the panel beside the lesson, and text.go for the lesson.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// ErrInterrupted reports that the student pressed Ctrl-C.
var ErrInterrupted = fmt.Errorf("interrupted with Ctrl-C: %w", context.Canceled)

// Options configure Run.
type Options struct {
	// Where returns the cluster and its ports for the status line. They change if it restarts.
	Where       func() string
	Environment []string // Environment has the form of os.Environ. Run uses TERM and NO_COLOR.
	In, Out     *os.File // In and Out are the terminal.
}

// Run shows the tutor and restores the terminal. It returns ErrInterrupted after Ctrl-C.
func Run(ctx context.Context, t *tutor.Tutor, h *tutor.Host, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(ctx, t, h, o)
	environment := o.Environment
	if m.colorless {
		environment = append(environment, "NO_COLOR=1") // bubbletea parses the value as a Boolean
	}
	// Signals end ctx. In raw mode, Ctrl-C is a key and not a signal.
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out),
		tea.WithEnvironment(environment), tea.WithoutSignalHandler())
	_, err := program.Run()
	switch {
	case ctx.Err() != nil:
		h.RunNow(ctx, t, t.Update(time.Now(), tutor.Quit))
		return context.Cause(ctx)
	case m.interrupted:
		return ErrInterrupted
	case err != nil && !errors.Is(err, tea.ErrProgramKilled):
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}

// variable returns the last value of an environment variable.
func variable(environment []string, name string) (value string) {
	for _, entry := range environment {
		if v, found := strings.CutPrefix(entry, name+"="); found {
			value = v
		}
	}
	return value
}

// bringUp starts the cluster while the terminal is released, so that its progress is visible.
type bringUp struct {
	ctx   context.Context
	host  *tutor.Host
	event tutor.Event
}

func (b *bringUp) SetStdin(io.Reader)  {}
func (b *bringUp) SetStdout(io.Writer) {}
func (b *bringUp) SetStderr(io.Writer) {}

// releaseTime is the time that bubbletea gets to release the terminal. If a command ends before the
// release, bubbletea stops the timer of the next frame and draws nothing anymore.
const releaseTime = 250 * time.Millisecond

// Run implements tea.ExecCommand. The event contains the error.
func (b *bringUp) Run() error {
	select {
	case <-time.After(releaseTime):
	case <-b.ctx.Done():
	}
	b.event = b.host.Do(b.ctx, tutor.BringUp{})
	return nil
}
