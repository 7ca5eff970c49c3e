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

// Entry is a lab in a list.
type Entry struct {
	Number int
	Name   string
	Title  string // Title is empty if the lab is invalid
	Dir    string
}

// List returns the labs in the subdirectories of dir, by number. It skips labs that it cannot read.
// If dir does not exist, it returns no labs.
func List(dir string) ([]Entry, error) {
	subdirectories, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var entries []Entry
	for _, subdirectory := range subdirectories {
		l, faults, err := load(filepath.Join(dir, subdirectory.Name()))
		if err != nil || l.Name == "" {
			continue // the directory is not a lab
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

// UnknownError reports that there is no lab with the given name or number.
type UnknownError struct {
	Name    string
	Nearest string // Nearest is a similar name, or empty if there is none
	Known   []Entry
}

// Error suggests a similar name or lists all labs.
func (e *UnknownError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("no lab %q (did you mean %q?)", e.Name, e.Nearest)
	}
	var known []string
	for _, entry := range e.Known {
		known = append(known, fmt.Sprintf("%d %s", entry.Number, entry.Name))
	}
	if len(known) == 0 {
		return fmt.Sprintf("no lab %q; the directory has no labs", e.Name)
	}
	return fmt.Sprintf("no lab %q; the labs are: %s", e.Name, strings.Join(known, ", "))
}

// Find returns the directory of a lab by number ("1", "01"), name ("host-routing",
// "01-host-routing"), or directory. The error is an *UnknownError if there is no such lab.
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
