package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Lint returns everything that is wrong with the labs and scenarios at paths, in the order of the paths, and the files
// that it has looked at. A path is a lesson.md, a scenario file, or a directory with any number of them at any depth. A
// path that is not there, or has neither, is an error. What labs have in common is looked for in all of the paths.
func Lint(paths []string) (faults strictyaml.Diagnostics, files []string, err error) {
	var labs []*Lab
	for _, path := range paths {
		found, more, err := lintable(path)
		if err != nil {
			return nil, nil, err
		}
		if len(found)+len(more) == 0 {
			return nil, nil, fmt.Errorf("%s: neither a %s nor a %s in there", path, scenario.FileName, LessonFile)
		}
		faults = append(faults, more...)
		for _, file := range found {
			l, more, err := lintFile(file)
			if err != nil {
				return nil, nil, err
			}
			faults = append(faults, more...)
			if l != nil && !slices.ContainsFunc(labs, func(other *Lab) bool { return sameDir(other.Dir, l.Dir) }) {
				labs = append(labs, l)
			}
		}
		files = append(files, found...)
	}
	return append(append(faults, sharedNumbers(labs)...), sharedHosts(labs)...), files, nil
}

// lintable returns the files at or below path that can be checked, and the directories that look like a lab without being one.
func lintable(path string) (files []string, faults strictyaml.Diagnostics, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil, nil
	}
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir() && (entry.Name() == scenario.FileName || entry.Name() == LessonFile):
			files = append(files, file)
		case entry.IsDir() && directoryName.MatchString(entry.Name()) && !has(file, LessonFile) && (has(file, "start") || has(file, "solution")):
			faults = append(faults, strictyaml.Diagnostic{File: file, Message: "looks like a lab, and has no " + LessonFile})
		}
		return nil
	})
	return files, faults, err
}

// sharedNumbers finds labs with the number of another one, which could not be started by it.
func sharedNumbers(labs []*Lab) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	first := map[int]*Lab{}
	for _, l := range labs {
		if l.Name == "" {
			continue // its directory's name is a fault already
		}
		if other := first[l.Number]; other != nil {
			faults = append(faults, strictyaml.Diagnostic{File: l.lessonFile(), Message: fmt.Sprintf("%s is number %d, too: a lab has a number of its own", other.Dir, l.Number)})
			continue
		}
		first[l.Number] = l
	}
	return faults
}

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func sameDir(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// lintFile returns the faults of a file, and the lab if it is a lesson.
func lintFile(file string) (*Lab, strictyaml.Diagnostics, error) {
	if filepath.Ext(file) == ".md" {
		l, faults, err := load(filepath.Dir(file))
		return l, faults.Sorted(), err
	}
	faults, err := scenario.Lint(file)
	return nil, faults, err
}
