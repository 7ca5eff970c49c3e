// Package progress saves a student's progress in one JSON file for all labs.
//
// Each write replaces the whole file with a synced copy, so a kill at any moment leaves the old or
// the new state. A lock prevents two writers from overwriting each other's labs. A damaged file is
// renamed to FILE.damaged.
package progress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

const (
	version = 1
	// lockTimeout limits the wait for another writer, which usually takes milliseconds.
	lockTimeout = 5 * time.Second
)

// Progress is the content of the file.
type Progress struct {
	Version int               `json:"version"`
	Last    string            `json:"last,omitempty"` // the name of the lab with the latest activity
	Labs    map[string]Record `json:"labs"`           // Labs maps the names of labs to their records.
}

// Record is a student's progress in one lab.
type Record struct {
	// Page is the title of the page read last. Number, counted from 0, is the fallback if the
	// lesson no longer has that title.
	Page   string `json:"screen,omitempty"`
	Number int    `json:"number"`
	// Tasks maps task IDs to the tasks that were done at least once.
	Tasks    map[string]Task `json:"tasks,omitempty"`
	Quiz     *Quiz           `json:"quiz,omitempty"`     // the latest answer to the quiz
	Finished *time.Time      `json:"finished,omitempty"` // the time when the last task was done
	Seen     time.Time       `json:"seen"`               // the time of the latest activity
}

// Task is a task that was done or for which a hint was opened. Done is zero if it was not done.
type Task struct {
	Done   time.Time `json:"done,omitzero"`
	Solved bool      `json:"solved,omitempty"` // reports whether the tutor solved the task
	Hints  int       `json:"hints,omitempty"`  // Hints counts the opened hints.
}

// Quiz is an answer to a lab's quiz.
type Quiz struct {
	Choice string    `json:"choice"`
	Truth  string    `json:"truth"`
	Right  bool      `json:"right"`
	At     time.Time `json:"at"`
}

// Clone returns a deep copy.
func (r Record) Clone() Record {
	if r.Tasks = maps.Clone(r.Tasks); r.Tasks == nil {
		r.Tasks = map[string]Task{}
	}
	if r.Finished != nil {
		r.Finished = new(*r.Finished)
	}
	if r.Quiz != nil {
		r.Quiz = new(*r.Quiz)
	}
	return r
}

// DefaultFile returns the path of the user's progress file, in the XDG state directory.
func DefaultFile() string { return filepath.Join(xdg.StateHome, "ingresslab", "progress.json") }

// Store reads and writes a progress file. Several processes can use the file at the same time.
type Store struct {
	file  string
	write func(path string, data []byte) error // a field, so that tests can simulate a full disk
}

// NewStore returns the Store of a file without opening it.
func NewStore(file string) *Store { return &Store{file: file, write: writeSynced} }

// File returns the path of the file.
func (s *Store) File() string { return s.file }

// DamagedError reports that File was unreadable and was renamed to Kept.
type DamagedError struct {
	File, Kept string
	Cause      error
}

// Error names the damaged file and its new name.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("cannot read the progress file %s (%v); it was renamed to %s, and progress starts over", e.File, e.Cause, e.Kept)
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Cause }

// Load reads the file, if it exists. With a *DamagedError, it returns empty, usable progress.
func (s *Store) Load() (Progress, error) {
	p, damage, err := s.read()
	if damage == nil {
		return p, err
	}
	// Another process can replace the damaged file at this moment, so read it again under the lock.
	release, err := s.lock(context.Background())
	if err != nil {
		return empty(), fmt.Errorf("progress: cannot read %s (%w) or rename it: %w", s.file, damage, err)
	}
	defer release()
	return s.loadLocked()
}

// loadLocked is Load for a caller that holds the lock.
func (s *Store) loadLocked() (Progress, error) {
	p, damage, err := s.read()
	if damage != nil {
		return s.setAside(damage)
	}
	return p, err
}

// read reads the file without changing it. damage describes invalid content.
func (s *Store) read() (p Progress, damage, err error) {
	data, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return empty(), nil, nil
	}
	if err != nil {
		return empty(), nil, fmt.Errorf("progress: %w", err)
	}
	// Decode the version on its own, because the fields of a newer format are unknown.
	var format struct{ Version int }
	if err := json.Unmarshal(data, &format); err == nil && format.Version > version {
		return empty(), nil, fmt.Errorf("progress: a newer ingresslab wrote %s in format %d; this version supports format %d",
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

// setAside renames the damaged file to an unused name. The caller holds the lock.
func (s *Store) setAside(cause error) (Progress, error) {
	kept := s.file + ".damaged"
	for i := 2; exists(kept); i++ {
		kept = fmt.Sprintf("%s.damaged-%d", s.file, i)
	}
	if err := os.Rename(s.file, kept); err != nil {
		return empty(), fmt.Errorf("progress: cannot read %s (%w) or rename it: %w", s.file, cause, err)
	}
	return empty(), &DamagedError{File: s.file, Kept: kept, Cause: cause}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Put saves a lab's record and makes it the last lab. It saves even if it returns a *DamagedError.
func (s *Store) Put(ctx context.Context, lab string, r Record) error {
	return s.update(ctx, func(p *Progress) { p.Last, p.Labs[lab] = lab, r })
}

// Forget deletes the record of a lab, or all records if lab is empty.
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

func (s *Store) lock(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, errors.New("another ingresslab process holds the lock"))
	defer cancel()
	return filelock.Acquire(ctx, s.file+".lock", func() {})
}

// replace writes and renames a new file. The caller holds the lock, so any new file is a leftover.
func (s *Store) replace(data []byte) error {
	next := s.file + ".new"
	if err := s.write(next, data); err != nil {
		_ = os.Remove(next) // a partial file is useless and fills a full disk
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

// syncDir makes a rename durable. It ignores that some file systems cannot sync directories.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	_ = d.Sync()
	return d.Close()
}
