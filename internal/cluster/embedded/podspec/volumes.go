package podspec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

func written(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.DownwardAPI != nil
}

// Volumes writes the files of the pod's volumes. An error has a kubelet's message for an Event with
// the reason FailedMount, such as `MountVolume.SetUp failed for volume "cert" : secret "web-tls"
// not found`. Several errors are joined by "; ". Other volumes are complete despite an error, and
// the call can be repeated.
//
// For a running pod, Volumes updates the files and renews tokens at 80% of their lifetime. It swaps
// the symbolic link ..data atomically, as a kubelet does, and writes nothing if nothing changed.
func (n *Node) Volumes(ctx context.Context, pod Pod) error {
	var problems volumeErrors
	for i := range pod.Spec.Volumes {
		if err := n.volume(ctx, pod, &pod.Spec.Volumes[i]); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

type volumeErrors []error

func (e volumeErrors) Error() string {
	texts := make([]string, 0, len(e))
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors of the volumes.
func (e volumeErrors) Unwrap() []error { return e }

func (n *Node) volume(ctx context.Context, pod Pod, v *corev1.Volume) error {
	var err error
	dir := volumeDir(pod, v.Name)
	switch {
	case v.EmptyDir != nil:
		err = makeEmptyDir(dir, fsGroup(pod.Pod))
	case v.HostPath != nil:
		err = n.prepareHostPath(v.HostPath)
	case written(v):
		var files payload
		if files, err = n.payload(ctx, pod, v); err == nil {
			err = files.write(dir, fsGroup(pod.Pod))
		}
	default:
		return fmt.Errorf("volume %q: %s is not supported in embedded clusters; use kind", v.Name, sourceName(v))
	}
	if err != nil {
		return fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", v.Name, err)
	}
	return nil
}

// makeEmptyDir creates the directory once. With medium Memory, too, it is on disk.
func makeEmptyDir(dir string, group *int64) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777); err != nil { // independent of the umask
		return err
	}
	return own(dir, group, 0o777|fs.ModeSetgid)
}

func fsGroup(pod *corev1.Pod) *int64 {
	return ptr.Deref(pod.Spec.SecurityContext, corev1.PodSecurityContext{}).FSGroup
}

// own sets a file's mode and the pod's fsGroup, which requires root.
func own(file string, group *int64, mode fs.FileMode) error {
	if group == nil {
		return nil
	}
	err := os.Lchown(file, -1, int(*group))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

// sourceName returns the key of a volume's source in a manifest, such as "persistentVolumeClaim".
func sourceName(v *corev1.Volume) string {
	keys, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(&v.VolumeSource)
	for key := range keys {
		return key
	}
	return "its source"
}

// hostPath returns the host path of a path on the node. A node has its own root, HostDir, because
// pods must not access the files of the user who started the cluster.
func (n *Node) hostPath(path string) string {
	return filepath.Join(n.HostDir, filepath.Clean("/"+path))
}

// prepareHostPath checks or creates the path of a hostPath volume
// (https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types). Without a type, it
// creates a directory, as container runtimes do.
func (n *Node) prepareHostPath(source *corev1.HostPathVolumeSource) error {
	if n.HostDir == "" {
		return errors.New("hostPath is not supported on this node; use kind")
	}
	if err := os.MkdirAll(n.HostDir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(n.HostDir) // ignores links that lead out
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	name := cmp.Or(filepath.Clean("/" + source.Path)[1:], ".")
	kind := ptr.Deref(source.Type, corev1.HostPathUnset)
	wanted, typed := hostPathTypes[kind]
	info, err := root.Stat(name)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && (kind == corev1.HostPathUnset || kind == corev1.HostPathDirectoryOrCreate):
		return root.MkdirAll(name, 0o755)
	case missing && kind == corev1.HostPathFileOrCreate:
		return root.WriteFile(name, nil, 0o644)
	case err != nil && !missing:
		return err
	case missing, typed && !wanted.match(info.Mode()):
		return fmt.Errorf("hostPath type check failed: %s is not %s", source.Path, wanted.name)
	}
	return nil
}

var hostPathTypes = map[corev1.HostPathType]struct {
	name  string
	match func(fs.FileMode) bool
}{
	corev1.HostPathDirectory:         {"a directory", fs.FileMode.IsDir},
	corev1.HostPathDirectoryOrCreate: {"a directory", fs.FileMode.IsDir},
	corev1.HostPathFile:              {"a file", fs.FileMode.IsRegular},
	corev1.HostPathFileOrCreate:      {"a file", fs.FileMode.IsRegular},
	corev1.HostPathSocket:            {"a socket file", func(m fs.FileMode) bool { return m&fs.ModeSocket != 0 }},
	corev1.HostPathCharDev:           {"a character device", func(m fs.FileMode) bool { return m&fs.ModeCharDevice != 0 }},
	corev1.HostPathBlockDev:          {"a block device", func(m fs.FileMode) bool { return m&(fs.ModeDevice|fs.ModeCharDevice) == fs.ModeDevice }},
}
