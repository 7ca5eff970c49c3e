package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// The values of --output.
const (
	outputPretty = "pretty"
	outputJSON   = "json"
	outputJUnit  = "junit"
)

// checkOutput returns a usage error for a format that is not among the known.
func checkOutput(format string, known ...string) error {
	if slices.Contains(known, format) {
		return nil
	}
	return unknown("output format", format, known, "--output takes: "+strings.Join(known, ", "))
}

// colorful tells whether colors make sense on w: on a terminal, unless
// NO_COLOR is set.
func colorful(w io.Writer, env func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && env("TERM") != "dumb" && env("NO_COLOR") == ""
}

// style is what the reports of scenarios may use on w.
func (a *app) style(w io.Writer) scenario.Style {
	color := colorful(w, os.Getenv)
	return scenario.Style{Color: color, Live: color, Flags: a.nameFlag()}
}

// printf writes for somebody to read. Whoever reads may stop, as `head` does;
// then nothing is left to be done, and nobody to tell.
func printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
