package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Entry is a lab in a listing.
type Entry struct {
	Number int
	Name   string
	// Title is empty if the lab has faults, which Load tells.
	Title string
	// Dir is the lab's directory.
	Dir string
}

// List returns the labs in the subdirectories of dir, by number; none if there is no dir. A lab whose files cannot be read is left
// out.
func List(dir string) ([]Entry, error) {
	subdirectories, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var entries []Entry
	for _, subdirectory := range subdirectories {
		l, faults, err := load(filepath.Join(dir, subdirectory.Name()))
		if err != nil || l.Name == "" {
			continue // not a lab, or not any more
		}
		entry := Entry{Number: l.Number, Name: l.Name, Dir: l.Dir}
		if len(faults) == 0 {
			entry.Title = l.Title
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Number - b.Number })
	return entries, nil
}

// UnknownError says that there is no lab of a name or number.
type UnknownError struct {
	Name string
	// Nearest is the name that was probably meant; empty if none is near.
	Nearest string
	// Known are the labs there are.
	Known []Entry
}

// Error names what was meant or, failing that, what there is.
func (e *UnknownError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("no lab %q (did you mean %q?)", e.Name, e.Nearest)
	}
	var known []string
	for _, entry := range e.Known {
		known = append(known, fmt.Sprintf("%d %s", entry.Number, entry.Name))
	}
	if len(known) == 0 {
		return fmt.Sprintf("no lab %q, and no other one here", e.Name)
	}
	return fmt.Sprintf("no lab %q, there are: %s", e.Name, strings.Join(known, ", "))
}

// Find returns the directory of the lab that the argument of a command names: by number ("1", "01"), by name
// ("host-routing", "01-host-routing") or by directory. If there is none, the error is an *UnknownError.
func Find(dir, argument string) (string, error) {
	entries, err := List(dir)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if number, err := strconv.Atoi(argument); err == nil && number == e.Number || argument == e.Name || argument == filepath.Base(e.Dir) {
			return e.Dir, nil
		}
		names = append(names, e.Name)
	}
	if _, err := os.Stat(filepath.Join(argument, LessonFile)); err == nil {
		return argument, nil
	}
	return "", &UnknownError{Name: argument, Nearest: strictyaml.Nearest(argument, names), Known: entries}
}
