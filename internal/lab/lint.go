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

// Lint returns the errors in the labs and scenarios at paths, and the files that it checked. A path
// is a lesson.md, a scenario file, or a directory tree with at least one of them. It also finds
// conflicts between labs.
func Lint(paths []string) (faults strictyaml.Diagnostics, files []string, err error) {
	var labs []*Lab
	for _, path := range paths {
		found, more, err := lintable(path)
		if err != nil {
			return nil, nil, err
		}
		if len(found)+len(more) == 0 {
			return nil, nil, fmt.Errorf("%s contains no %s and no %s", path, scenario.FileName, LessonFile)
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

// lintable returns the files to check at or below path, and errors for incomplete labs.
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
			faults = append(faults, strictyaml.Diagnostic{File: file, Message: "looks like a lab, but has no " + LessonFile})
		}
		return nil
	})
	return files, faults, err
}

// sharedNumbers finds labs with equal numbers.
func sharedNumbers(labs []*Lab) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	first := map[int]*Lab{}
	for _, l := range labs {
		if l.Name == "" {
			continue // the name of the lab's directory is already an error
		}
		if other := first[l.Number]; other != nil {
			faults = append(faults, strictyaml.Diagnostic{File: l.lessonFile(),
				Message: fmt.Sprintf("%s also has number %d; choose an unused number", other.Dir, l.Number)})
			continue
		}
		first[l.Number] = l
	}
	return faults
}

// sharedHosts finds hosts with Ingresses in two labs, which could not run in one cluster at the
// same time.
func sharedHosts(labs []*Lab) strictyaml.Diagnostics {
	owners := map[string]*Lab{}
	var faults strictyaml.Diagnostics
	for _, l := range labs {
		for _, host := range slices.Compact(slices.Sorted(slices.Values(l.meant().hosts))) {
			first := owners[host]
			switch {
			case host == "" || l.Exclusive:
			case first == nil:
				owners[host] = l
			case first != l:
				faults = append(faults, strictyaml.Diagnostic{File: l.lessonFile(), Position: l.positions.At("namespace"), Path: "namespace",
					Message: fmt.Sprintf("lab %[2]d also has an Ingress for host %[1]s, so the labs cannot run at the same time", host, first.Number)})
			}
		}
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

// lintFile returns the errors in a file, and the lab if it is a lesson.
func lintFile(file string) (*Lab, strictyaml.Diagnostics, error) {
	if filepath.Ext(file) == ".md" {
		l, faults, err := load(filepath.Dir(file))
		return l, faults.Sorted(), err
	}
	faults, err := scenario.Lint(file)
	return nil, faults, err
}
