package replay

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// steadyFor is the time for which an output must be unchanged before it is recorded. Right after a
// change, commands can still show the old state.
const steadyFor = 5 * time.Second

// Record replays the lab's lesson and writes the outputs that differ into it. Equal outputs stay as
// they are. The faults of the report are commands that cannot be recorded. If the lesson changed
// since it was loaded, Record fails and writes nothing.
func Record(ctx context.Context, l *lab.Lab, env Env) (*Report, error) {
	r := &replayer{lab: l, env: env, retryFor: retryFor, settled: steady}
	report, err := r.replay(ctx)
	if err != nil {
		return report, err
	}
	report.Changed, report.Faults, err = write(l, report.Commands)
	return report, err
}

// write writes the outputs that differ into the lab's lesson and reports whether any did.
func write(l *lab.Lab, results []Result) (changed bool, faults strictyaml.Diagnostics, err error) {
	file := filepath.Join(l.Dir, lab.LessonFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return false, nil, err
	}
	text, faults := updated(file, string(data), results)
	if text == string(data) {
		return false, faults, nil
	}
	// Check that the lesson is unchanged, so that the line numbers of the outputs are still right.
	now, err := lab.Load(l.Dir)
	if err != nil {
		return false, faults, err
	}
	if now.Text != l.Text || now.TextLine != l.TextLine {
		return false, faults, fmt.Errorf("%s changed during the replay, so nothing was recorded; record it again", file)
	}
	return true, faults, os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // the lesson is public
}

// steady returns a function that reports whether the normalized output is unchanged for steadyFor.
func steady() func(output string) bool {
	var last string
	var since time.Time
	return func(output string) bool {
		if now := lesson.Normalize(output); now != last || since.IsZero() {
			last, since = now, time.Now()
		}
		return time.Since(since) >= steadyFor
	}
}

// updated returns the text of a lesson with the outputs that differ.
func updated(file, text string, results []Result) (string, strictyaml.Diagnostics) {
	var faults strictyaml.Diagnostics
	lines := strings.Split(text, "\n")
	// Start at the end, so that the other line numbers stay right.
	for _, c := range slices.Backward(results) {
		if c.Problem == "" && c.Matches {
			continue
		}
		output, problem := recordable(c)
		if problem != "" {
			faults = append(faults, strictyaml.Diagnostic{
				File: file, Position: strictyaml.Position{Line: c.Line}, Message: fmt.Sprintf("`%s`: %s", firstLine(c.Text), problem),
			})
			continue
		}
		from := c.OutputLine - 1
		lines = slices.Replace(lines, from, from+len(c.Output), output...)
	}
	return strings.Join(lines, "\n"), faults.Sorted()
}

// recordable returns an output as lines of a lesson, or the reason why a lesson cannot contain it.
func recordable(c Result) (lines []string, problem string) {
	if c.Problem != "" {
		return nil, c.Problem
	}
	text := strings.TrimRight(c.Got, "\n \t")
	if text == "" {
		return nil, ""
	}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "```") {
			return nil, fmt.Sprintf("a console block cannot contain its output, because of the line %q", line)
		}
		if line != "" {
			line = c.Indent + line
		}
		lines = append(lines, line)
	}
	// Blank lines between commands belong to the text and not to the output.
	for i := len(c.Output); i > 0 && c.Output[i-1] == ""; i-- {
		lines = append(lines, "")
	}
	return lines, ""
}
