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

// ErrInterrupted says that the student has ended the tutor with Ctrl-C.
var ErrInterrupted = fmt.Errorf("the tutor was ended with Ctrl-C: %w", context.Canceled)

// Options say what else is shown, and where.
type Options struct {
	// Where says which cluster this is and on which ports it listens; it is asked again after the cluster was brought up.
	Where func() string
	// Environment is the terminal's, as os.Environ writes it: TERM and NO_COLOR count.
	Environment []string
	// In and Out are the terminal.
	In, Out *os.File
}

// Run shows the tutor until the student quits, and restores the terminal. The error is ErrInterrupted after Ctrl-C, and
// ctx's if that has ended.
func Run(ctx context.Context, t *tutor.Tutor, h *tutor.Host, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(ctx, t, h, o)
	environment := o.Environment
	if m.colorless {
		environment = append(environment, "NO_COLOR=1") // the terminal library knows it as a truth value only
	}
	// Signals end ctx, which is the program's business; in raw mode Ctrl-C is a key.
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out),
		tea.WithEnvironment(environment), tea.WithoutSignalHandler())
	_, err := program.Run()
	switch {
	case ctx.Err() != nil:
		m.leave()
		return context.Cause(ctx)
	case m.interrupted:
		return ErrInterrupted
	case err != nil && !errors.Is(err, tea.ErrProgramKilled):
		return fmt.Errorf("the terminal: %w", err)
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

// bringUp brings up the cluster with the terminal in its usual state, so that its progress can be seen.
type bringUp struct {
	ctx   context.Context
	host  *tutor.Host
	event tutor.Event
}

func (b *bringUp) SetStdin(io.Reader)  {}
func (b *bringUp) SetStdout(io.Writer) {}
func (b *bringUp) SetStderr(io.Writer) {}

// releasing is the time that the terminal library gets to let go of the screen. It does that beside: a command that has ended before
// stops the clock of the next picture, too, and nothing is drawn anymore.
const releasing = 250 * time.Millisecond

// Run implements tea.ExecCommand. What went wrong is in the event.
func (b *bringUp) Run() error {
	select {
	case <-time.After(releasing):
	case <-b.ctx.Done():
	}
	b.event = b.host.Do(b.ctx, tutor.BringUp{})
	return nil
}
