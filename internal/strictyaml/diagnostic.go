package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Both fields count from 1; a zero Line means that the place is unknown.
type Position struct {
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Diagnostic is an error in a file.
type Diagnostic struct {
	// File is the path as the user gave it.
	File string `json:"file"`
	Position
	// Path names the field: "steps[3].expect.status". Empty for the document as a whole.
	Path string `json:"path,omitempty"`
	// Message describes the error in lower case, without the position.
	Message string `json:"message"`
	// Suggestion is a similar name that exists; empty without one.
	Suggestion string `json:"suggestion,omitempty"`
}

// String returns file:line:column: path: message, so that editors can jump to the position.
func (f Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	if f.Path != "" {
		fmt.Fprintf(&b, ": %s", f.Path)
	}
	fmt.Fprintf(&b, ": %s", f.Message)
	if f.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean %q?)", f.Suggestion)
	}
	return b.String()
}

// Diagnostics are the errors in one or more files. Use Err to get an error.
type Diagnostics []Diagnostic

// Error lists the diagnostics in the order of the file, one a line.
func (fs Diagnostics) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs.Sorted() {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the diagnostics as an error, or nil if there are none. A nil Diagnostics would be an error that is not nil.
func (fs Diagnostics) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Sorted returns a copy, sorted by file, line, and column.
func (fs Diagnostics) Sorted() Diagnostics {
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return sorted
}

// Positions maps the paths of a decoded document to their positions.
type Positions map[string]Position

// At returns the position of the field at path. For a missing field, it returns that of the nearest enclosing field.
func (p Positions) At(path string) Position {
	for {
		if at, ok := p[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return p[""]
		}
		path = path[:cut]
	}
}

// Without returns the diagnostics for fields that have none in before, because a later check repeats an error in other words.
func (fs Diagnostics) Without(before Diagnostics) Diagnostics {
	return slices.DeleteFunc(slices.Clone(fs), func(f Diagnostic) bool {
		return f.Path != "" && slices.ContainsFunc(before, func(b Diagnostic) bool { return b.File == f.File && b.Path == f.Path })
	})
}
