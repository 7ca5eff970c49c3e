package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// reportFile is where --output-file wants the report. What was there before stays until the new report is complete.
type reportFile struct {
	path string
	// part is written to; it becomes path when it is complete. It is path itself if that is no ordinary file.
	part *os.File
}

// openReport makes the file's directory and finds out whether a file can be written there. It returns nil for an empty path.
func openReport(path string) (*reportFile, error) {
	if path == "" {
		return nil, nil
	}
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, usagef("--output-file: %s is a directory", path)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("--output-file: %w", err)
		}
		return &reportFile{path, f}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("--output-file: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("--output-file: %w", err)
	}
	return &reportFile{path, part}, nil
}

// write writes the report and puts it in place.
func (f *reportFile) write(write func(io.Writer) error) error {
	err := write(f.part)
	if closeErr := f.part.Close(); err == nil {
		err = closeErr
	}
	if err == nil && f.part.Name() != f.path {
		err = errors.Join(os.Chmod(f.part.Name(), 0o644), os.Rename(f.part.Name(), f.path))
	}
	if err != nil {
		return &unwrittenError{f.path, err}
	}
	return nil
}

// unwrittenError says that a report did not get into its file.
type unwrittenError struct {
	path  string
	cause error
}

func (e *unwrittenError) Error() string {
	return fmt.Sprintf("--output-file %s: %v", e.path, reasonOfPath(e.cause))
}

func (e *unwrittenError) Unwrap() error { return e.cause }

// discard removes what was not put in place.
func (f *reportFile) discard() {
	if f == nil || f.part.Name() == f.path {
		return
	}
	_ = f.part.Close()
	_ = os.Remove(f.part.Name()) // it is gone already if it was put in place
}

// reasonOfPath strips a path error of the name of the unfinished file, which says nothing to anybody.
func reasonOfPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
