package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// FileName is what the file of a scenario is called; its directory is called like the scenario.
const FileName = "scenario.yaml"

// Load reads a scenario and its manifests. path is the scenario's file or the directory that it is in. If anything is
// wrong with them, the error is a strictyaml.Diagnostics with everything that is; a file that cannot be read is a
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

// Lint returns everything that is wrong with the scenario at path. A file that is not there is an error.
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
		return s, faults, nil // not YAML; whatever else could be said would not help
	}
	read := readManifests(filepath.Dir(path), manifestFiles(s))
	s.manifests = read.manifests
	faults = append(faults, Validate(s).Without(faults)...)
	faults = append(faults, s.misplaced().Without(faults)...)
	faults = append(faults, validateManifests(s, read)...)
	faults = append(faults, validateMutants(s, read).Without(faults)...)
	return s, faults, nil
}

// misplaced finds a scenario that is not where its name says: it is looked for by the name of its directory.
func (s *Scenario) misplaced() strictyaml.Diagnostics {
	absolute, err := filepath.Abs(s.file)
	if err != nil || filepath.Base(absolute) != FileName || filepath.Base(filepath.Dir(absolute)) == s.Metadata.Name {
		return nil
	}
	return strictyaml.Diagnostics{{
		File: s.file, Position: s.positions.At("metadata.name"), Path: "metadata.name",
		Message: fmt.Sprintf("is %q, and the directory is called %q: they must be the same", s.Metadata.Name,
			filepath.Base(filepath.Dir(absolute))),
	}}
}

// manifestFiles returns the manifest files that steps and mutants name, each once.
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

// reading is what reading manifest files came to, by their names in the scenario.
type reading struct {
	manifests map[string]Manifest
	// faults is what is wrong inside of a file, errs why a file could not be read.
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
