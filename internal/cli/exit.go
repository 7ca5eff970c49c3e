package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Exit codes.
const (
	ExitOK          = 0   // everything that was asked for is so
	ExitFailed      = 1   // a check failed: the controller or the exercise is wrong
	ExitUsage       = 2   // the command line makes no sense
	ExitBroken      = 3   // the lab itself does not work: no engine, a port taken, ...
	ExitTimeout     = 4   // something was waited for and did not come
	ExitInterrupted = 130 // Ctrl-C, as shells count it
)

// usageError is a fault of the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// unknown says that there is no such thing, which one may have been meant, and
// how to see what there is.
func unknown(what, name string, known []string, seeAll string) error {
	text := fmt.Sprintf("unknown %s %q", what, name)
	if near := strictyaml.Nearest(name, known); near != "" {
		return usagef("%s; did you mean %q?", text, near)
	}
	return usagef("%s; %s", text, seeAll)
}

// outcome ends the program with a code when what there is to say has been said
// already, in a report.
type outcome struct{ code int }

func (o *outcome) Error() string { return fmt.Sprintf("exit code %d", o.code) }

// worse returns the code that tells more: being interrupted, then a broken
// lab, then a time-out, then a failed check.
func worse(a, b int) int {
	order := []int{ExitOK, ExitFailed, ExitTimeout, ExitBroken, ExitUsage, ExitInterrupted}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// exitCode maps what went wrong to the exit code.
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

// errorText is what is printed of an error: one line, but for the faults of a
// file, which are one a line so that editors find them.
func errorText(err error) string {
	var ended *outcome
	var faults strictyaml.Diagnostics
	switch {
	case err == nil, errors.As(err, &ended):
		return ""
	case errors.As(err, &faults):
		return "the file has faults\n" + strings.TrimRight(err.Error(), "\n")
	case errors.Is(err, context.Canceled):
		return interruptedText(err)
	}
	text := oneLine(err.Error())
	if diskFull(err) {
		text += "; make room on that disk and try again"
	}
	return text
}

// diskFull tells whether a file could not be written for lack of space. The kernel says the same of namespaces and watches.
func diskFull(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Op != "fork/exec" && (errors.Is(path.Err, syscall.ENOSPC) || errors.Is(path.Err, syscall.EDQUOT))
}

// interruptedText says that it was Ctrl-C, and anything that went wrong while
// cleaning up after it.
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

// oneLine joins the lines that errors.Join makes.
func oneLine(s string) string {
	var parts []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
