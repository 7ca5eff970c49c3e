package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/scenario"
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

// printf prints to a reader that can stop early, as `head` does. Errors are ignored.
func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// report writes a report and ends the command with code. If the file can't be written, the report goes to standard output.
func (a *app) report(output string, file *reportFile, code int, write func(io.Writer) error) error {
	if output == outputPretty {
		return &outcome{code}
	}
	if file == nil {
		if err := write(a.std.Out); err != nil {
			return err
		}
		return &outcome{code}
	}
	if err := file.write(write); err != nil {
		a.display.Note("printing the report to standard output instead")
		_ = write(a.std.Out) // the first error matters more
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
	var path *fs.PathError // it has the name of the temporary file
	if errors.As(err, &path) {
		err = path.Err
	}
	return &fs.PathError{Op: "--output-file", Path: f.path, Err: err}
}

// discard deletes an incomplete file.
func (f *reportFile) discard() {
	if f == nil || f.part.Name() == f.path {
		return
	}
	_ = f.part.Close()
	_ = os.Remove(f.part.Name()) // after a successful write, it no longer exists
}
