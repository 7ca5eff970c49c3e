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

const (
	// steadyFor is how long an output has to stay the same before it is recorded: right after a change, the old state is still seen.
	steadyFor = 5 * time.Second
)

// Record plays the lab's lesson, and writes the outputs that are not as recorded into it. Nothing but those lines changes. An output
// that matches stays as it is, so that recording twice changes nothing. The faults of the report are what cannot be recorded: a
// command that is not there, or does not end. A lesson that somebody has edited since it was loaded is left alone, which is an error.
func Record(ctx context.Context, l *lab.Lab, env Env) (*Report, error) {
	p := &player{lab: l, env: env, patience: patience, settled: steady}
	report, err := p.play(ctx)
	if err != nil {
		return report, err
	}
	report.Changed, report.Faults, err = write(l, report.Commands)
	return report, err
}

// write writes the outputs that were not as recorded into the lab's lesson, and tells whether there were any.
func write(l *lab.Lab, played []Played) (changed bool, faults strictyaml.Diagnostics, err error) {
	file := filepath.Join(l.Dir, lab.LessonFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return false, nil, err
	}
	text, faults := written(file, string(data), played)
	if text == string(data) {
		return false, faults, nil
	}
	// The outputs are known by their lines.
	now, err := lab.Load(l.Dir)
	if err != nil {
		return false, faults, err
	}
	if now.Text != l.Text || now.TextLine != l.TextLine {
		return false, faults, fmt.Errorf("%s was edited while it was played: nothing is recorded, play it again", file)
	}
	return true, faults, os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // a text of the checkout
}

// steady returns what says whether an output has been the same, but for what is never the same, for long enough.
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

// written returns the text of a lesson with the outputs that were not as recorded.
func written(file, text string, played []Played) (string, strictyaml.Diagnostics) {
	var faults strictyaml.Diagnostics
	lines := strings.Split(text, "\n")
	// From the end, so that the lines that are still to come keep their numbers.
	for _, c := range slices.Backward(played) {
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

// recordable returns an output as lines of a lesson, or why it cannot be one.
func recordable(c Played) (lines []string, problem string) {
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
			return nil, fmt.Sprintf("its output cannot stand in a console block: it has the line %q", line)
		}
		if line != "" {
			line = c.Indent + line
		}
		lines = append(lines, line)
	}
	// The blank line that parts two commands is of the text, and not of the output.
	for i := len(c.Output); i > 0 && c.Output[i-1] == ""; i-- {
		lines = append(lines, "")
	}
	return lines, ""
}
