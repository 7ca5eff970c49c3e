package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// FileName is the name of a scenario's file. Its directory has the name of the scenario.
const FileName = "scenario.yaml"

// Load reads a scenario and its manifests. path is the file or its directory. If the scenario is
// invalid, the error is a strictyaml.Diagnostics with all errors. If a file is unreadable, it is a
// *fs.PathError.
func Load(path string) (*Scenario, error) {
	s, faults, err := load(path)
	if err != nil {
		return nil, err
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Lint returns all errors of the scenario at path. A missing file is an error.
func Lint(path string) (strictyaml.Diagnostics, error) {
	_, faults, err := load(path)
	return faults.Sorted(), err
}

func load(path string) (*Scenario, strictyaml.Diagnostics, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("scenario: %w", err)
	}
	s := &Scenario{}
	positions, faults := strictyaml.Decode(path, data, 1, s)
	s.source = source{file: path, positions: positions}
	if len(positions) == 0 {
		return s, faults, nil // the file is not YAML, so more checks would not help
	}
	read := readManifests(filepath.Dir(path), manifestFiles(s))
	s.manifests = read.manifests
	faults = append(faults, Validate(s).Without(faults)...)
	faults = append(faults, s.misplaced().Without(faults)...)
	faults = append(faults, validateManifests(s, read)...)
	faults = append(faults, validateMutants(s, read).Without(faults)...)
	return s, faults, nil
}

// misplaced reports a scenario whose name is not that of its directory, by which commands find it.
func (s *Scenario) misplaced() strictyaml.Diagnostics {
	absolute, err := filepath.Abs(s.file)
	if err != nil || filepath.Base(absolute) != FileName || filepath.Base(filepath.Dir(absolute)) == s.Metadata.Name {
		return nil
	}
	return strictyaml.Diagnostics{{
		File: s.file, Position: s.positions.At("metadata.name"), Path: "metadata.name",
		Message: fmt.Sprintf("is %q, but the directory is %q; use the same name", s.Metadata.Name,
			filepath.Base(filepath.Dir(absolute))),
	}}
}

// manifestFiles returns the manifest files of steps and mutants, without duplicates.
func manifestFiles(s *Scenario) []string {
	var files []string
	seen := map[string]bool{}
	add := func(names []string) {
		for _, name := range names {
			if isFile(name) && !seen[name] {
				seen[name] = true
				files = append(files, name)
			}
		}
	}
	eachStep("steps", s.Steps, func(_ string, step Step) {
		for _, v := range step.verbs() {
			add(v.traits().targets)
		}
	})
	for _, m := range s.Mutants {
		add(m.Apply)
	}
	return files
}

// reading is the result of reading manifest files, by their names in the scenario.
type reading struct {
	manifests map[string]Manifest
	// faults are errors in the content of a file. errs are errors of reading a file.
	faults map[string]strictyaml.Diagnostics
	errs   map[string]error
}

func readManifests(dir string, files []string) reading {
	r := reading{manifests: map[string]Manifest{}, faults: map[string]strictyaml.Diagnostics{}, errs: map[string]error{}}
	for _, name := range files {
		if !fs.ValidPath(name) {
			r.errs[name] = errors.New("is not a path inside the scenario's directory")
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		data, err := os.ReadFile(file)
		if err != nil {
			r.errs[name] = err
			continue
		}
		r.manifests[name], r.faults[name] = ReadManifest(file, data)
	}
	return r
}

// Entry is a scenario in a listing.
type Entry struct {
	Name  string
	Title string // Title is empty if Load reports errors
	Path  string
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

// UnknownError reports that there is no scenario with the given name.
type UnknownError struct {
	Name    string
	Nearest string   // Nearest is the most similar name, or empty if none is similar
	Known   []string // Known are all names
}

// Error suggests the most similar name, or lists all names.
func (e *UnknownError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("no scenario %q (did you mean %q?)", e.Name, e.Nearest)
	}
	if len(e.Known) == 0 {
		return fmt.Sprintf("no scenario %q; the directory has no scenarios", e.Name)
	}
	return fmt.Sprintf("no scenario %q; the scenarios are %s", e.Name, strings.Join(e.Known, ", "))
}

// Find returns the files of the scenarios that an argument selects: a name in dir, a pattern of
// names ("host-*"), a directory, or a file. If it selects none, the error is an *UnknownError.
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
