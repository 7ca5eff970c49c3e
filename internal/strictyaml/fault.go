package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Both count from 1; a zero Line means the place is not known.
type Position struct {
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Fault is one thing that is wrong with a file.
type Fault struct {
	// File is the path as the user gave it.
	File string `json:"file"`
	Position
	// Path names the field: "steps[3].expect.status". Empty for the document as a whole.
	Path string `json:"path,omitempty"`
	// Message says what is wrong, in lower case and without the position.
	Message string `json:"message"`
	// Suggestion is the name that was probably meant; empty if none is near.
	Suggestion string `json:"suggestion,omitempty"`
}

// String renders the fault as compilers do, so that editors can jump to it: file:line:column: path: message.
func (f Fault) String() string {
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

// Faults is everything that is wrong with one or more files. It is an error when it is not empty; use Err.
type Faults []Fault

// Error lists the faults, one a line, in the order of the file.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs.Sorted() {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults as an error, and nil when there are none: a nil Faults in an error interface would not be nil.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Sorted returns a copy in the order in which a reader meets them: by file, line, column.
func (fs Faults) Sorted() Faults {
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return sorted
}

// Positions remembers where each field of a decoded document stands, by path.
type Positions map[string]Position

// At returns the position of the field at path or, if the document does not have it, of the nearest field around it:
// a field that is missing is reported where it should have been.
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

// Without returns the faults that are about other fields than those of before: what reading has found wrong with a field,
// a later check would only say again in other words.
func (fs Faults) Without(before Faults) Faults {
	return slices.DeleteFunc(slices.Clone(fs), func(f Fault) bool {
		return f.Path != "" && slices.ContainsFunc(before, func(b Fault) bool { return b.File == f.File && b.Path == f.Path })
	})
}
