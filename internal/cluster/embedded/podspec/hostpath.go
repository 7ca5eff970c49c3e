package podspec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

// hostPath is where a path of the node is on this machine. A simulated node shares the machine's files, and a pod must not
// get at those of the person who started the cluster: the node's own begin at HostDir, where there is nothing at first.
func (n *Node) hostPath(path string) string {
	return filepath.Join(n.HostDir, filepath.Clean("/"+path))
}

// prepareHostPath does what the type of a hostPath volume asks for
// (https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types). Without a type a directory is made, as container
// runtimes do.
func (n *Node) prepareHostPath(source *corev1.HostPathVolumeSource) error {
	if n.HostDir == "" {
		return errors.New("hostPath is not supported on this node; use kind")
	}
	if err := os.MkdirAll(n.HostDir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(n.HostDir) // a pod may have left links that lead out
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	name := filepath.Clean("/" + source.Path)[1:]
	if name == "" {
		name = "."
	}
	kind := corev1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		switch kind {
		case corev1.HostPathUnset, corev1.HostPathDirectoryOrCreate:
			return root.MkdirAll(name, 0o755)
		case corev1.HostPathFileOrCreate:
			return root.WriteFile(name, nil, 0o644)
		}
		return wrongType(source.Path, kind)
	}
	if err != nil {
		return err
	}
	if !isOfType(info.Mode(), kind) {
		return wrongType(source.Path, kind)
	}
	return nil
}

func isOfType(mode fs.FileMode, kind corev1.HostPathType) bool {
	switch kind {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		return mode.IsDir()
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		return mode.IsRegular()
	case corev1.HostPathSocket:
		return mode&fs.ModeSocket != 0
	case corev1.HostPathCharDev:
		return mode&fs.ModeCharDevice != 0
	case corev1.HostPathBlockDev:
		return mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
	}
	return true
}

func wrongType(path string, kind corev1.HostPathType) error {
	what := map[corev1.HostPathType]string{
		corev1.HostPathDirectory:         "a directory",
		corev1.HostPathDirectoryOrCreate: "a directory",
		corev1.HostPathFile:              "a file",
		corev1.HostPathFileOrCreate:      "a file",
		corev1.HostPathSocket:            "a socket file",
		corev1.HostPathCharDev:           "a character device",
		corev1.HostPathBlockDev:          "a block device",
	}[kind]
	return fmt.Errorf("hostPath type check failed: %s is not %s", path, what)
}
