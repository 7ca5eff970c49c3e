package podspec

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A volume that the node writes looks like this, so that a program which watches it sees all files of one state or all of
// the next, and never a mixture:
//
//	tls.crt -> ..data/tls.crt
//	tls.key -> ..data/tls.key
//	..data  -> ..1723456
//	..1723456/tls.crt
//	..1723456/tls.key
//
// A rename(2) swaps ..data for a link to the next directory. Programs that reload certificates rely on these names.
const (
	dataLink    = "..data"
	newDataLink = "..data_tmp"
	// hidden starts the names that are the node's own.
	hidden = ".."
)

// write makes the volume in dir hold these files and nothing else. It touches nothing if it does so already.
func (p payload) write(dir string, group *int64) error {
	for name := range p {
		if !filepath.IsLocal(name) || strings.HasPrefix(name, hidden) {
			return fmt.Errorf("invalid path %q: it must be relative and have no .. before it", name)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.Readlink(filepath.Join(dir, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if old == "" || !p.sameAs(filepath.Join(dir, old), group) {
		if err := p.swap(dir, group); err != nil {
			return err
		}
	}
	return p.link(dir)
}

// groupMode is the mode of a file that a pod's fsGroup may read.
func (f file) groupMode(group *int64) fs.FileMode {
	if group == nil {
		return f.mode
	}
	return f.mode | 0o440
}

// sameAs says whether the directory holds these files and no others.
func (p payload) sameAs(dir string, group *int64) bool {
	found := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		want, ok := p[name]
		info, err := entry.Info()
		if err != nil || !ok || (info.Mode().Perm() != want.mode && info.Mode().Perm() != want.groupMode(group)) {
			return fs.ErrInvalid
		}
		content, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(content, want.content) {
			return fs.ErrInvalid
		}
		found++
		return nil
	})
	return err == nil && found == len(p)
}

// swap writes the files to a new directory and makes it the current one; the ones before go.
func (p payload) swap(dir string, group *int64) error {
	fresh, err := os.MkdirTemp(dir, hidden)
	if err != nil {
		return err
	}
	if err := p.fill(fresh, group); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	link := filepath.Join(dir, newDataLink)
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(fresh), link); err != nil {
		return err
	}
	if err := os.Rename(link, filepath.Join(dir, dataLink)); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), hidden) && entry.Name() != filepath.Base(fresh) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return err
}

func (p payload) fill(dir string, group *int64) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, file := range p {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(path, file.mode); err != nil {
			return err
		}
		if err := own(path, group, file.groupMode(group)); err != nil {
			return err
		}
	}
	return nil
}

// link makes a link for everything at the top of the volume, and removes those that lead nowhere any more.
func (p payload) link(dir string) error {
	wanted := map[string]bool{}
	for name := range p {
		top, _, _ := strings.Cut(filepath.ToSlash(name), "/")
		wanted[top] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case wanted[name]:
			delete(wanted, name)
		case !strings.HasPrefix(name, hidden):
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if err := os.Symlink(filepath.Join(dataLink, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
