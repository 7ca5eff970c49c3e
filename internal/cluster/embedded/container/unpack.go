package container

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A whiteout is a name in a layer that hides a file of lower layers
// (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts).
const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
)

type unpacker struct {
	root      *os.Root
	own       bool // set the layer's owners, which requires root
	whiteouts bool
}

// unpack creates dir with the files of an uncompressed layer whose digest is id. It keeps whiteouts
// as empty files, and reports whether there are any. It skips devices, and setuid and setgid bits,
// because they are dangerous on the host and useless without privileges.
func unpack(content io.Reader, dir string, id v1.Hash) (whiteouts bool, err error) {
	if err := removeTree(dir); err != nil {
		return false, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return false, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	u := &unpacker{root: root, own: os.Geteuid() == 0}
	if err := root.Chmod(".", 0o755); err != nil {
		return false, err
	}
	sum := sha256.New()
	content = io.TeeReader(content, sum)
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
		if err := u.entry(h, r); err != nil {
			return false, fmt.Errorf("file %s: %w", h.Name, err)
		}
	}
	// The digest includes the padding after the last file.
	if _, err := io.Copy(io.Discard, content); err != nil {
		return false, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); id.Algorithm != "sha256" || got != id.Hex {
		return false, fmt.Errorf("digest mismatch: content is sha256:%s", got)
	}
	return u.whiteouts, nil
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	if name == "" {
		return u.mode(".", h)
	}
	if err := u.parents(path.Dir(name)); err != nil {
		return err
	}
	if strings.HasPrefix(path.Base(name), whiteoutPrefix) {
		u.whiteouts = true
	}
	if err := u.clear(name, h.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return u.mode(name, h)
	case tar.TypeReg:
		return u.file(name, h, content)
	case tar.TypeSymlink:
		if err := u.root.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return u.owner(name, h)
	case tar.TypeLink:
		return u.root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), name)
	default:
		return nil
	}
}

// parents creates parent directories that the archive does not list.
func (u *unpacker) parents(dir string) error {
	if dir == "." {
		return nil
	}
	if info, err := u.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := u.parents(path.Dir(dir)); err != nil {
		return err
	}
	if err := u.root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return u.root.Chmod(dir, 0o755) // independent of the umask
}

func (u *unpacker) clear(name string, isDir bool) error {
	info, err := u.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && isDir && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	return u.root.RemoveAll(name)
}

func (u *unpacker) file(name string, h *tar.Header, content io.Reader) error {
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := u.mode(name, h); err != nil {
		return err
	}
	return u.root.Chtimes(name, h.ModTime, h.ModTime)
}

// mode sets owner and mode. It always gives the owner read permission, and write permission on
// directories, so that cleanup works without root.
func (u *unpacker) mode(name string, h *tar.Header) error {
	if err := u.owner(name, h); err != nil {
		return err
	}
	mode := h.FileInfo().Mode()
	perm := mode.Perm() | 0o400
	if mode.IsDir() {
		perm |= 0o700 | mode&fs.ModeSticky
	}
	return u.root.Chmod(name, perm)
}

func (u *unpacker) owner(name string, h *tar.Header) error {
	if !u.own || h.Uid == 0 && h.Gid == 0 {
		return nil
	}
	err := u.root.Lchown(name, h.Uid, h.Gid)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.EINVAL) {
		return nil // the user namespace does not map this user
	}
	return err
}

// mergeLayers merges layers into one directory with hard links
// (https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets). Paths are
// relative to the store.
func mergeLayers(store string, layers []string, dest string) (err error) {
	root, err := os.OpenRoot(store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := errors.Join(root.RemoveAll(dest), root.Mkdir(dest, 0o755), root.Chmod(dest, 0o755)); err != nil {
		return err
	}
	for _, l := range layers {
		if err := mergeDir(root, l, dest); err != nil {
			return err
		}
	}
	return nil
}

// mergeDir merges from into to. Whiteouts only hide files of lower layers, so they come first.
func mergeDir(root *os.Root, from, to string) error {
	entries, err := fs.ReadDir(root.FS(), from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := applyWhiteout(root, to, e.Name()); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), whiteoutPrefix) {
			continue
		}
		if err := mergeEntry(root, path.Join(from, e.Name()), path.Join(to, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func applyWhiteout(root *os.Root, dir, name string) error {
	if name == opaqueMarker {
		below, err := fs.ReadDir(root.FS(), dir)
		for _, e := range below {
			err = errors.Join(err, root.RemoveAll(path.Join(dir, e.Name())))
		}
		return err
	}
	// Ignore names that lead out of the directory.
	if hidden, ok := strings.CutPrefix(name, whiteoutPrefix); ok && hidden != "" && hidden != "." && hidden != ".." {
		return root.RemoveAll(path.Join(dir, hidden))
	}
	return nil
}

func mergeEntry(root *os.Root, from, to string, e fs.DirEntry) error {
	below, err := root.Lstat(to)
	exists := err == nil
	if exists && (!below.IsDir() || !e.IsDir()) {
		if err := root.RemoveAll(to); err != nil {
			return err
		}
		exists = false
	}
	if !e.IsDir() {
		return root.Link(from, to)
	}
	if !exists {
		if err := root.Mkdir(to, 0o700); err != nil {
			return err
		}
	}
	if err := copyAttributes(root, from, to); err != nil {
		return err
	}
	return mergeDir(root, from, to)
}

func copyAttributes(root *os.Root, from, to string) error {
	info, err := root.Lstat(from)
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := root.Lchown(to, int(s.Uid), int(s.Gid)); err != nil {
			return err
		}
	}
	return root.Chmod(to, info.Mode().Perm()|info.Mode()&fs.ModeSticky)
}
