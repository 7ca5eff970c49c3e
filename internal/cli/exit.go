package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Exit codes.
const (
	ExitOK          = 0   // success
	ExitFailed      = 1   // a check failed: the controller or the exercise is wrong
	ExitUsage       = 2   // the command line is invalid
	ExitBroken      = 3   // the lab does not work: no container engine, a port in use, ...
	ExitTimeout     = 4   // a wait timed out
	ExitInterrupted = 130 // Ctrl-C, by the convention of shells
)

// usageError is an error in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// unknown returns a usage error for an unknown name, with the nearest known name or, if none is near, with seeAll.
func unknown(what, name string, known []string, seeAll string) error {
	text := fmt.Sprintf("unknown %s %q", what, name)
	if near := strictyaml.Nearest(name, known); near != "" {
		return usagef("%s; did you mean %q?", text, near)
	}
	return usagef("%s; %s", text, seeAll)
}

// outcome ends the program with a code and without a message, after a report.
type outcome struct{ code int }

func (o *outcome) Error() string { return fmt.Sprintf("exit code %d", o.code) }

// worse returns the more severe code; ExitInterrupted is the most severe.
func worse(a, b int) int {
	order := []int{ExitOK, ExitFailed, ExitTimeout, ExitBroken, ExitUsage, ExitInterrupted}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// exitCode returns the exit code for an error.
func exitCode(err error) int {
	var (
		ended    *outcome
		usage    *usageError
		spec     *cluster.SpecError
		mismatch *cluster.MismatchError
		faults   strictyaml.Diagnostics
		noScene  *scenario.UnknownError
		noLab    *lab.UnknownError
		noPart   *scenario.PartError
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &ended):
		return ended.code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &usage), errors.As(err, &spec), errors.As(err, &mismatch), errors.As(err, &faults),
		errors.As(err, &noScene), errors.As(err, &noLab), errors.As(err, &noPart):
		return ExitUsage
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	}
	return ExitBroken
}

// errorText returns the message for an error: one line, or one line for each error in a file, as editors expect.
func errorText(err error) string {
	var ended *outcome
	var faults strictyaml.Diagnostics
	switch {
	case err == nil, errors.As(err, &ended):
		return ""
	case errors.As(err, &faults):
		return "the file has errors\n" + strings.TrimRight(err.Error(), "\n")
	case errors.Is(err, context.Canceled):
		return interruptedText(err)
	}
	text := oneLine(err.Error())
	if diskFull(err) {
		text += "; free some disk space and try again"
	}
	return text
}

// diskFull reports whether a write failed for lack of space. The kernel returns ENOSPC for namespaces and watches, too.
func diskFull(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Op != "fork/exec" && (errors.Is(path.Err, syscall.ENOSPC) || errors.Is(path.Err, syscall.EDQUOT))
}

// interruptedText returns the message after Ctrl-C, with the errors of the cleanup.
func interruptedText(err error) string {
	var rest []string
	for _, line := range strings.Split(err.Error(), "\n") {
		if !strings.HasSuffix(line, context.Canceled.Error()) {
			rest = append(rest, line)
		}
	}
	if len(rest) == 0 {
		return "interrupted"
	}
	return "interrupted; " + oneLine(strings.Join(rest, "\n"))
}

// oneLine joins the lines of errors.Join.
func oneLine(s string) string {
	var parts []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// flagError replaces pflag's message for an invalid value, which names the parser's function.
func flagError(err error) string {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err.Error()
	}
	wanted := "a " + invalid.GetFlag().Value.Type()
	switch invalid.GetFlag().Value.Type() {
	case "int":
		wanted = "a whole number"
	case "bool":
		wanted = "true or false"
	}
	return fmt.Sprintf("--%s: %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), wanted)
}
