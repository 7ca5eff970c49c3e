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

// Mine is what a file is called that was kept, after its own name; further ones get a number after it.
const Mine = ".mine"

// Workspace is where a student works on one lab.
type Workspace struct {
	// Path is the directory: workspace/01-host-routing in the checkout.
	Path string
	lab  *lab.Lab
}

// Open says where the workspace of a lab is, in the checkout at root. It touches nothing.
func Open(root string, l *lab.Lab) *Workspace {
	absolute, err := filepath.Abs(l.Dir)
	if err != nil {
		absolute = l.Dir
	}
	return &Workspace{Path: filepath.Join(root, Dir, filepath.Base(absolute)), lab: l}
}

// Create makes the workspace of a lab in the checkout at root, if it is not there: a copy of the lab's start/. Of one that is
// there, only files that are missing are copied; nothing is overwritten.
func Create(root string, l *lab.Lab) (*Workspace, error) {
	w := Open(root, l)
	err := w.copy("start", func(path string, content []byte) error {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return err // nil if it is there
		}
		return write(path, content)
	})
	return w, err
}

// Reset makes the files of start/ what they were. Files that were changed are kept as NAME.mine; files of other names stay.
// kept are the new names of those that were, relative to the workspace.
func (w *Workspace) Reset() (kept []string, err error) { return w.Put("start") }

// Put writes the files of one of the lab's directories (start or solution) into the workspace, or only those that are named.
// Files that differ are kept as NAME.mine. kept are their new names, relative to the workspace.
func (w *Workspace) Put(part string, names ...string) (kept []string, err error) {
	err = w.copy(part, func(path string, content []byte) error {
		name, err := filepath.Rel(w.Path, path)
		if err != nil || len(names) > 0 && !slices.Contains(names, filepath.ToSlash(name)) {
			return err
		}
		mine := ""
		if !w.isOriginal(name) {
			if mine, err = keep(path, content); err != nil {
				return err
			}
		}
		if mine != "" {
			kept = append(kept, filepath.Join(filepath.Dir(name), filepath.Base(mine)))
		}
		return write(path, content)
	})
	return kept, err
}

// isOriginal tells whether a file of the workspace is as the lab has it, in start/ or in solution/.
func (w *Workspace) isOriginal(name string) bool {
	present, err := os.ReadFile(filepath.Join(w.Path, name))
	return err == nil && slices.ContainsFunc([]string{"start", "solution"}, func(part string) bool {
		content, err := os.ReadFile(filepath.Join(w.lab.Dir, part, name))
		return err == nil && bytes.Equal(content, present)
	})
}

// copy hands the files of a part of the lab to put, with the paths that they have in the workspace.
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

// keep renames a file that is there with another content, and returns its new path; empty if there was nothing to keep. What
// was kept before is not overwritten either.
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
			return mine, nil // it is kept already
		}
	}
}

// write writes a file so that a crash or a full disk leaves either the old one or the new one.
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
			_ = os.Remove(f.Name()) // what could not be written is nothing to keep
		}
	}()
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
