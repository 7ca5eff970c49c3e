package progress

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk accepts only part of a write.
func TestFullDiskKeepsOldProgress(t *testing.T) {
	s := NewStore(filepath.Join(t.TempDir(), "progress.json"))
	if err := s.Put(t.Context(), "tls", Record{Number: 1}); err != nil {
		t.Fatal(err)
	}
	s.write = func(path string, data []byte) error {
		if err := writeSynced(path, data[:len(data)/2]); err != nil {
			return err
		}
		return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	if err := s.Put(t.Context(), "tls", Record{Number: 2}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want no space", err)
	}
	p, err := s.Load()
	if err != nil || p.Labs["tls"].Number != 1 {
		t.Errorf("number is %d (%v), want 1 from before", p.Labs["tls"].Number, err)
	}
	if files, err := filepath.Glob(s.file + ".*"); err != nil || len(files) != 0 {
		t.Errorf("leftover files: %v (%v)", files, err)
	}
	s.write = writeSynced
	if err := s.Put(t.Context(), "tls", Record{Number: 3}); err != nil {
		t.Error(err)
	}
}
