package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Entry is a scenario in a listing.
type Entry struct {
	Name string
	// Title is empty if the file has faults, which Load tells.
	Title string
	// Path is the scenario's file.
	Path string
}

// List returns the scenarios in the subdirectories of dir, by name.
func List(dir string) ([]Entry, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*", FileName))
	if err != nil {
		return nil, fmt.Errorf("list scenarios in %s: %w", dir, err)
	}
	slices.Sort(paths)
	var entries []Entry
	for _, path := range paths {
		entry := Entry{Name: filepath.Base(filepath.Dir(path)), Path: path}
		if s, err := Load(path); err == nil {
			entry.Title = s.Metadata.Title
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// UnknownError says that there is no scenario of a name.
type UnknownError struct {
	Name string
	// Nearest is the name that was probably meant; empty if none is near.
	Nearest string
	// Known are the names there are.
	Known []string
}

// Error names what was meant or, failing that, what there is.
func (e *UnknownError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("no scenario %q (did you mean %q?)", e.Name, e.Nearest)
	}
	if len(e.Known) == 0 {
		return fmt.Sprintf("no scenario %q, and no other one here", e.Name)
	}
	return fmt.Sprintf("no scenario %q, there are %s", e.Name, strings.Join(e.Known, ", "))
}

// Find returns the files of the scenarios that the argument of a command names: the name of a scenario in dir, a pattern
// for such names ("host-*"), a scenario's directory or its file. If there is none, the error is an *UnknownError.
func Find(dir, argument string) ([]string, error) {
	entries, err := List(dir)
	if err != nil {
		return nil, err
	}
	var found, known []string
	for _, e := range entries {
		known = append(known, e.Name)
		if matched, err := filepath.Match(argument, e.Name); err == nil && matched {
			found = append(found, e.Path)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if info, err := os.Stat(argument); err == nil {
		if info.IsDir() {
			argument = filepath.Join(argument, FileName)
		}
		if _, err := os.Stat(argument); err == nil {
			return []string{argument}, nil
		}
	}
	return nil, &UnknownError{Name: argument, Nearest: strictyaml.Nearest(argument, known), Known: known}
}
