package progress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

// lockTimeout bounds the wait for another writer, who needs milliseconds.
const lockTimeout = 5 * time.Second

// DefaultFile is where the progress of this user is: in the XDG state directory
// (https://specifications.freedesktop.org/basedir-spec/latest/).
func DefaultFile() string { return filepath.Join(xdg.StateHome, "ingresslab", "progress.json") }

// Store is the file. It is safe for use by several processes at once.
type Store struct {
	file string
	// write puts data into a file of a name; tests have disks that are full.
	write func(path string, data []byte) error
}

// NewStore makes no access.
func NewStore(file string) *Store { return &Store{file: file, write: writeSynced} }

// File returns the path of the file.
func (s *Store) File() string { return s.file }

// DamagedError says that the file could not be read, and was put aside.
type DamagedError struct {
	// File is the file, Kept where it is now.
	File, Kept string
	Cause      error
}

// Error says what was done.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the progress in %s cannot be read (%v): it is kept as %s, and progress begins anew", e.File, e.Cause, e.Kept)
}

// Unwrap returns what was wrong with the file.
func (e *DamagedError) Unwrap() error { return e.Cause }

// Load reads the file. Without one there is no progress. With a *DamagedError, the progress is empty and can be gone on with.
func (s *Store) Load() (Progress, error) {
	p, damage, err := s.read()
	if damage == nil {
		return p, err
	}
	// Another one may put it aside in this moment, and write a new one: that must not be taken for the damaged one.
	release, err := s.lock(context.Background())
	if err != nil {
		return empty(), fmt.Errorf("progress: %s cannot be read (%w), nor put aside: %w", s.file, damage, err)
	}
	defer release()
	return s.loadLocked()
}

// loadLocked is Load for who holds the lock.
func (s *Store) loadLocked() (Progress, error) {
	p, damage, err := s.read()
	if damage != nil {
		return s.setAside(damage)
	}
	return p, err
}

// read reads the file, and changes nothing. damage is what is wrong with what it holds; p is empty with that and with an error.
func (s *Store) read() (p Progress, damage, err error) {
	data, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return empty(), nil, nil
	}
	if err != nil {
		return empty(), nil, fmt.Errorf("progress: %w", err)
	}
	// What else a newer format looks like cannot be known, so its version is read by itself.
	var format struct{ Version int }
	if err := json.Unmarshal(data, &format); err == nil && format.Version > version {
		return empty(), nil, fmt.Errorf("progress: %s has format %d, which a newer ingresslab has written; this one knows %d",
			s.file, format.Version, version)
	}
	damage = json.Unmarshal(data, &p)
	if damage == nil && p.Version < 1 {
		damage = fmt.Errorf("version is %d, want %d", p.Version, version)
	}
	if damage != nil {
		return empty(), damage, nil
	}
	if p.Labs == nil {
		p.Labs = map[string]Record{}
	}
	return p, nil, nil
}

func empty() Progress { return Progress{Version: version, Labs: map[string]Record{}} }

// setAside moves the damaged file to a name that is free. The lock is held.
func (s *Store) setAside(cause error) (Progress, error) {
	kept := s.file + ".damaged"
	for i := 2; exists(kept); i++ {
		kept = fmt.Sprintf("%s.damaged-%d", s.file, i)
	}
	if err := os.Rename(s.file, kept); err != nil {
		return empty(), fmt.Errorf("progress: %s cannot be read (%w), nor put aside: %w", s.file, cause, err)
	}
	return empty(), &DamagedError{File: s.file, Kept: kept, Cause: cause}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Put remembers a lab, and that it was the last. What other labs have is not touched. With a *DamagedError, the record has
// been written nevertheless.
func (s *Store) Put(ctx context.Context, lab string, r Record) error {
	return s.update(ctx, func(p *Progress) { p.Last, p.Labs[lab] = lab, r })
}

// Forget forgets a lab, or all of them if none is named.
func (s *Store) Forget(ctx context.Context, lab string) error {
	return s.update(ctx, func(p *Progress) {
		if lab == "" {
			*p = empty()
			return
		}
		delete(p.Labs, lab)
		if p.Last == lab {
			p.Last = ""
		}
	})
}

func (s *Store) update(ctx context.Context, change func(*Progress)) error {
	release, err := s.lock(ctx)
	if err != nil {
		return fmt.Errorf("progress: %s: %w", s.file, err)
	}
	defer release()
	p, err := s.loadLocked()
	var damaged *DamagedError
	if err != nil && !errors.As(err, &damaged) {
		return err
	}
	change(&p)
	data, marshalErr := json.MarshalIndent(p, "", "  ")
	if marshalErr != nil {
		return fmt.Errorf("progress: %w", marshalErr)
	}
	return errors.Join(err, s.replace(append(data, '\n')))
}

// lock waits for other writers, lockTimeout at most.
func (s *Store) lock(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, errors.New("another ingresslab holds its lock"))
	defer cancel()
	return filelock.Acquire(ctx, s.file+".lock", func() {})
}

// replace puts data in the file's place. The lock is held, so that the new file's name is ours; one that somebody who was
// killed has left is written over.
func (s *Store) replace(data []byte) error {
	next := s.file + ".new"
	if err := s.write(next, data); err != nil {
		_ = os.Remove(next) // half a file is of no use, and takes space on a full disk
		return fmt.Errorf("progress: %w", err)
	}
	if err := os.Rename(next, s.file); err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	return syncDir(filepath.Dir(s.file))
}

func writeSynced(path string, data []byte) (err error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the renaming last. Not every file system lets directories be synced, and those need not be.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	_ = d.Sync()
	return d.Close()
}
