package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// LessonFile is the name of a lab's text.
const LessonFile = "lesson.md"

var directoryName = regexp.MustCompile(`^(\d{2})-([a-z][-a-z0-9]*)$`)

// Load reads the lab in a directory. The error is a strictyaml.Diagnostics with all errors in the
// lab, or a *fs.PathError.
func Load(dir string) (*Lab, error) {
	l, faults, err := load(dir)
	if err != nil {
		return nil, err
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

func load(dir string) (*Lab, strictyaml.Diagnostics, error) {
	file := filepath.Join(dir, LessonFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("lab: %w", err)
	}
	l := &Lab{Dir: dir, files: map[string]scenario.Manifest{}, mutantFiles: map[string]scenario.Manifest{}}
	faults := l.name(file)
	matter, text, fault := cut(file, data)
	if fault != nil {
		return l, append(faults, *fault), nil
	}
	l.Text = string(text)
	l.TextLine = bytes.Count(matter, []byte("\n")) + 3 // the two --- lines, plus 1 for the line after them
	positions, more := strictyaml.Decode(file, matter, 2, &l.FrontMatter)
	l.positions = positions
	faults = append(faults, more...)
	if len(positions) == 0 {
		return l, faults, nil // the front matter is not YAML
	}
	faults = append(faults, l.validate(file, positions).Without(more)...)
	faults = append(faults, l.validateText()...)
	for _, part := range []struct {
		dir  string
		into *[]*unstructured.Unstructured
	}{{"start", &l.Start}, {"solution", &l.Solution}} {
		manifests, more, err := readManifests(filepath.Join(dir, part.dir))
		if err != nil {
			return nil, nil, err
		}
		faults = append(append(faults, more...), l.validateObjects(manifests)...)
		for _, m := range manifests {
			*part.into = append(*part.into, m.Objects...)
			if part.dir == "solution" {
				l.files[filepath.Base(m.File)] = m
			}
		}
	}
	c := &checker{file: file, positions: positions}
	c.solutions(l)
	faults = append(faults, c.faults.Without(faults)...)
	more, err = l.readMutants()
	if err != nil {
		return nil, nil, err
	}
	faults = append(faults, more...)
	return l, append(faults, l.validateMutants(filepath.Join(dir, MutantsFile)).Without(more)...), nil
}

func (l *Lab) lessonFile() string { return filepath.Join(l.Dir, LessonFile) }

// name sets the lab's number and name from the name of its directory.
func (l *Lab) name(file string) strictyaml.Diagnostics {
	absolute, err := filepath.Abs(l.Dir)
	if err != nil {
		absolute = l.Dir
	}
	m := directoryName.FindStringSubmatch(filepath.Base(absolute))
	if m == nil {
		return strictyaml.Diagnostics{{File: file,
			Message: fmt.Sprintf("directory name %q does not have the form NN-name, such as 01-host-routing", filepath.Base(absolute))}}
	}
	l.Number, err = strconv.Atoi(m[1])
	if err != nil {
		return strictyaml.Diagnostics{{File: file, Message: err.Error()}}
	}
	l.Name = m[2]
	return nil
}

// cut separates the front matter, which starts in the second line, from the text.
func cut(file string, data []byte) (matter, text []byte, fault *strictyaml.Diagnostic) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	rest, found := bytes.CutPrefix(data, []byte("---\n"))
	if !found {
		return nil, nil, &strictyaml.Diagnostic{File: file, Position: strictyaml.Position{Line: 1},
			Message: "the front matter is missing; the first line must be ---"}
	}
	matter, text, found = bytes.Cut(rest, []byte("\n---\n"))
	if !found {
		return nil, nil, &strictyaml.Diagnostic{File: file, Position: strictyaml.Position{Line: 1},
			Message: "the front matter has no end; add a line ---"}
	}
	return append(matter, '\n'), text, nil
}

// readManifests reads the manifests of a directory, sorted by file name.
func readManifests(dir string) ([]scenario.Manifest, strictyaml.Diagnostics, error) {
	there, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("lab: %w", err)
	}
	var files []string
	var faults strictyaml.Diagnostics
	for _, entry := range there {
		file := filepath.Join(dir, entry.Name())
		switch {
		case slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)):
			files = append(files, file)
		case strings.HasPrefix(entry.Name(), ".") || strings.HasSuffix(entry.Name(), "~"): // a temporary file of an editor
		default:
			faults = append(faults, strictyaml.Diagnostic{File: file, Message: "is not a manifest; the name must end in .yaml, .yml, or .json"})
		}
	}
	if len(files) == 0 {
		return nil, append(faults, strictyaml.Diagnostic{File: dir, Message: "the directory has no manifests"}), nil
	}
	var manifests []scenario.Manifest
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("lab: %w", err)
		}
		m, wrong := scenario.ReadManifest(file, data)
		manifests, faults = append(manifests, m), append(faults, wrong...)
	}
	return manifests, faults, nil
}

// Lesson parses the lab's text. There are no errors if Load has returned the lab without an error.
func (l *Lab) Lesson() (*lesson.Lesson, strictyaml.Diagnostics) {
	return lesson.Parse(l.lessonFile(), l.Text, l.TextLine)
}

// validateText validates the text and the tasks of its pages.
func (l *Lab) validateText() strictyaml.Diagnostics {
	text, faults := l.Lesson()
	return append(faults, text.CheckTasks(l.taskIDs())...)
}
