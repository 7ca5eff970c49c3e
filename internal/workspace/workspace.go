// Package workspace manages the files that a student edits in a lab: a copy of start/ that Git
// ignores. It keeps each changed file as NAME.mine before it writes another version.
package workspace

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// Dir is the directory of a checkout that holds the workspaces.
const Dir = "workspace"

// Mine is the suffix of a kept file; later copies append a number.
const Mine = ".mine"

// Workspace is the directory in which a student works on one lab.
type Workspace struct {
	Path string // the directory, for example workspace/01-host-routing in the checkout
	lab  *lab.Lab
}

// Open returns the workspace of a lab in the checkout at root without creating it.
func Open(root string, l *lab.Lab) *Workspace {
	absolute, err := filepath.Abs(l.Dir)
	if err != nil {
		absolute = l.Dir
	}
	return &Workspace{Path: filepath.Join(root, Dir, filepath.Base(absolute)), lab: l}
}

// Create opens a workspace and copies the files of start/ that it lacks. It overwrites nothing.
func Create(root string, l *lab.Lab) (*Workspace, error) {
	w := Open(root, l)
	err := w.copy("start", func(path string, content []byte) error {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return err // err is nil if the file exists
		}
		return write(path, content)
	})
	return w, err
}

// Reset restores start/. kept lists the new names of changed files, relative to the workspace.
func (w *Workspace) Reset() (kept []string, err error) { return w.Put("start") }

// Put writes the named files of start or solution, or all if names is empty. kept is as in Reset.
func (w *Workspace) Put(part string, names ...string) (kept []string, err error) {
	err = w.copy(part, func(path string, content []byte) error {
		name, err := filepath.Rel(w.Path, path)
		if err != nil || len(names) > 0 && !slices.Contains(names, filepath.ToSlash(name)) {
			return err
		}
		if !w.isOriginal(name) {
			mine, err := keep(path, content)
			if err != nil {
				return err
			}
			if mine != "" {
				kept = append(kept, filepath.Join(filepath.Dir(name), filepath.Base(mine)))
			}
		}
		return write(path, content)
	})
	return kept, err
}

// isOriginal reports whether a file equals the lab's version in start/ or solution/.
func (w *Workspace) isOriginal(name string) bool {
	present, err := os.ReadFile(filepath.Join(w.Path, name))
	return err == nil && slices.ContainsFunc([]string{"start", "solution"}, func(part string) bool {
		content, err := os.ReadFile(filepath.Join(w.lab.Dir, part, name))
		return err == nil && bytes.Equal(content, present)
	})
}

// copy calls put for each file of start or solution, with its path in the workspace.
func (w *Workspace) copy(part string, put func(path string, content []byte) error) error {
	from := filepath.Join(w.lab.Dir, part)
	err := filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return put(filepath.Join(w.Path, name), content)
	})
	if err != nil {
		return fmt.Errorf("workspace %s: %w", w.Path, err)
	}
	return nil
}

// keep renames a file that differs from content, and returns the new name, or "" if it is equal.
func keep(path string, content []byte) (string, error) {
	present, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(present, content) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for i := 1; ; i++ {
		mine := path + Mine
		if i > 1 {
			mine += strconv.Itoa(i)
		}
		before, err := os.ReadFile(mine)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return mine, os.Rename(path, mine)
		case err != nil:
			return "", err
		case bytes.Equal(before, present):
			return mine, nil // an earlier copy is identical
		}
	}
}

// write replaces a file so that a crash or a full disk leaves the old or the new version.
func write(path string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
