package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Lint returns everything that is wrong with the labs and scenarios at paths, in the order of the paths, and the files
// that it has looked at. A path is a lesson.md, a scenario file, or a directory with any number of them at any depth. A
// path that is not there, or has neither, is an error.
func Lint(paths []string) (faults strictyaml.Faults, files []string, err error) {
	for _, path := range paths {
		found, err := lintable(path)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			return nil, nil, fmt.Errorf("%s: neither a %s nor a %s in there", path, scenario.FileName, LessonFile)
		}
		var labs []*Lab
		for _, file := range found {
			l, more, err := lintFile(file)
			if err != nil {
				return nil, nil, err
			}
			faults = append(faults, more...)
			if l != nil {
				labs = append(labs, l)
			}
		}
		faults = append(faults, sharedHosts(labs)...)
		files = append(files, found...)
	}
	return faults, files, nil
}

// lintable returns the files at or below path that can be checked.
func lintable(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (entry.Name() == scenario.FileName || entry.Name() == LessonFile) {
			files = append(files, file)
		}
		return err
	})
	return files, err
}

// lintFile returns the faults of a file, and the lab if it is a lesson.
func lintFile(file string) (*Lab, strictyaml.Faults, error) {
	if filepath.Ext(file) == ".md" {
		l, faults, err := load(filepath.Dir(file))
		return l, faults.Sorted(), err
	}
	faults, err := scenario.Lint(file)
	return nil, faults, err
}
