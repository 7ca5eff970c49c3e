package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// The values of --output.
const (
	outputPretty = "pretty"
	outputJSON   = "json"
	outputJUnit  = "junit"
)

// outputFlags are --output and, if a command has it, --output-file.
type outputFlags struct {
	output, file string
	formats      []string
}

func (f *outputFlags) register(c *cobra.Command, formats ...string) {
	f.formats = formats
	usage := "output format: " + strings.Join(formats, " or ")
	if last := len(formats) - 1; last > 1 {
		usage = "output format: " + strings.Join(formats[:last], ", ") + ", or " + formats[last]
	}
	c.Flags().StringVarP(&f.output, "output", "o", outputPretty, usage)
}

func (f *outputFlags) registerFile(c *cobra.Command, formats ...string) {
	f.register(c, formats...)
	c.Flags().StringVar(&f.file, "output-file", "", "write the "+strings.Join(formats[1:], " or ")+" report to this file")
}

func (f *outputFlags) check() error {
	if !slices.Contains(f.formats, f.output) {
		return unknown("output format", f.output, f.formats, "--output accepts: "+strings.Join(f.formats, ", "))
	}
	if f.file != "" && f.output == outputPretty {
		return usagef("--output-file needs -o %s", strings.Join(f.formats[1:], " or -o "))
	}
	return nil
}

// style returns the style of reports on w. NO_COLOR turns off colors.
func (a *app) style(w io.Writer) scenario.Style {
	f, ok := w.(*os.File)
	color := ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
	return scenario.Style{Color: color, Live: color, Flags: a.nameFlag()}
}

// progressTo returns the writer for progress: standard error if standard output is for the report.
func (a *app) progressTo(output string) io.Writer {
	if output != outputPretty {
		return a.std.Err
	}
	return a.std.Out
}

// printf ignores errors, because the reader of the output can stop early, as `head` does.
func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// writer returns the function that writes reports in an output format other than pretty.
func writer[R any](output string, reports R, junit, json func(io.Writer, R) error) func(io.Writer) error {
	if output == outputJUnit {
		json = junit
	}
	return func(w io.Writer) error { return json(w, reports) }
}

// report writes a report and ends the command with code. If the file can't be written, the report goes to standard output.
func (a *app) report(output string, file *reportFile, code int, write func(io.Writer) error) error {
	var err error
	switch {
	case output == outputPretty:
	case file == nil:
		err = write(a.std.Out)
	default:
		if err = file.write(write); err != nil {
			a.display.Note("printing the report to standard output instead")
			_ = write(a.std.Out) // the first error matters more
		}
	}
	if err != nil {
		return err
	}
	return &outcome{code}
}

// reportFile is the file of --output-file. It keeps its old content until the new report is complete.
type reportFile struct {
	path string
	// part becomes path when it is complete. If path is not a regular file, part is path itself.
	part *os.File
}

// openReport creates the file's directory and checks that it is writable. It returns nil for an empty path.
func openReport(path string) (*reportFile, error) {
	if path == "" {
		return nil, nil
	}
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, usagef("--output-file: %s is a directory", path)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("--output-file: %w", err)
		}
		return &reportFile{path, f}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("--output-file: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("--output-file: %w", err)
	}
	return &reportFile{path, part}, nil
}

// write writes the report and moves it to its path.
func (f *reportFile) write(write func(io.Writer) error) error {
	err := write(f.part)
	if closeErr := f.part.Close(); err == nil {
		err = closeErr
	}
	if err == nil && f.part.Name() != f.path {
		err = errors.Join(os.Chmod(f.part.Name(), 0o644), os.Rename(f.part.Name(), f.path))
	}
	if err == nil {
		return nil
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return &fs.PathError{Op: "--output-file", Path: f.path, Err: err}
}

func (f *reportFile) discard() {
	if f == nil || f.part.Name() == f.path {
		return
	}
	_ = f.part.Close()
	_ = os.Remove(f.part.Name()) // after a successful write, it no longer exists
}

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

func exitCode(err error) int {
	ended, isOutcome := errors.AsType[*outcome](err)
	switch {
	case err == nil:
		return ExitOK
	case isOutcome:
		return ended.code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case isA[*usageError](err), isA[*cluster.SpecError](err), isA[*cluster.MismatchError](err), isA[strictyaml.Diagnostics](err),
		isA[*scenario.UnknownError](err), isA[*lab.UnknownError](err), isA[*scenario.PartError](err):
		return ExitUsage
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	}
	return ExitBroken
}

// isA reports whether err is or wraps an E.
func isA[E error](err error) bool {
	_, is := errors.AsType[E](err)
	return is
}

// errorText returns the message for an error: one line, or one line for each error in a file, as editors expect.
func errorText(err error) string {
	switch {
	case err == nil, isA[*outcome](err):
		return ""
	case isA[strictyaml.Diagnostics](err):
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
	path, ok := errors.AsType[*fs.PathError](err)
	return ok && path.Op != "fork/exec" && (errors.Is(path.Err, syscall.ENOSPC) || errors.Is(path.Err, syscall.EDQUOT))
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
