package podspec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

func written(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.DownwardAPI != nil
}

// Volumes writes the files of the pod's volumes. An error has a kubelet's message for an Event with
// the reason FailedMount, such as `MountVolume.SetUp failed for volume "cert" : secret "web-tls"
// not found`. Several messages are joined by "; ". An error in one volume does not affect the
// others, and callers can call Volumes again.
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

// Unwrap returns the error of each volume.
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

// makeEmptyDir creates the directory once. Unlike in a kubelet, medium Memory is on disk, too.
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

// own sets a file's mode. As root, it also sets the file's group to the pod's fsGroup.
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

// hostPath returns the path on this machine of a path on the node. A node has its own root,
// HostDir, because pods must not access the files of the user who started the cluster.
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
	corev1.HostPathBlockDev:          {"a block device", func(m fs.FileMode) bool { return m.Type() == fs.ModeDevice }},
}

func volumeDir(pod Pod, volume string) string { return filepath.Join(pod.Dir, "volumes", volume) }

// mounts returns a container's volumeMounts and the files of /etc. Outer mounts come first.
func (n *Node) mounts(pod Pod, c *corev1.Container, env *environment) ([]container.Mount, error) {
	files, err := n.nodeFiles(pod)
	if err != nil {
		return nil, err
	}
	var mounts []container.Mount
	for i := range c.VolumeMounts {
		mount, err := n.mount(pod, c, &c.VolumeMounts[i], env)
		if err != nil {
			return nil, err
		}
		delete(files, mount.Target)
		mounts = append(mounts, mount)
	}
	for _, target := range slices.Sorted(maps.Keys(files)) {
		mounts = append(mounts, container.Mount{Source: files[target], Target: target})
	}
	slices.SortStableFunc(mounts, func(a, b container.Mount) int {
		return strings.Count(a.Target, "/") - strings.Count(b.Target, "/")
	})
	return mounts, nil
}

func (n *Node) mount(pod Pod, c *corev1.Container, m *corev1.VolumeMount, env *environment) (container.Mount, error) {
	i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
	if i < 0 {
		return container.Mount{}, configErrorf("cannot find volume %q to mount into container %q", m.Name, c.Name)
	}
	volume := &pod.Spec.Volumes[i]
	source, within, readOnly := volumeDir(pod, m.Name), "", m.ReadOnly
	switch {
	case volume.HostPath != nil:
		source, within = n.hostPath(volume.HostPath.Path), n.HostDir
	case volume.EmptyDir == nil: // a kubelet mounts files that it wrote read-only
		readOnly = true
	}
	subPath := m.SubPath
	if m.SubPathExpr != "" {
		var err error
		if subPath, err = expandSubPath(m.SubPathExpr, env); err != nil {
			return container.Mount{}, err
		}
	}
	if subPath != "" {
		within = cmp.Or(within, source)
		inner, err := inside(within, source, subPath)
		if err != nil {
			return container.Mount{}, configErrorf("failed to prepare subPath for volumeMount %q of container %q: %v", m.Name, c.Name, err)
		}
		source = inner
	}
	return container.Mount{Source: source, Target: path.Clean("/" + m.MountPath), ReadOnly: readOnly, Within: within}, nil
}

// expandSubPath is like expand, but every variable must have a value
// (https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath-expanded-environment).
func expandSubPath(expression string, env *environment) (string, error) {
	missing := map[string]bool{}
	expanded := expand(expression, func(name string) (string, bool) {
		value, ok := env.lookup(name)
		if value == "" {
			missing[name] = true
		}
		return value, ok
	})
	if len(missing) > 0 {
		return "", configErrorf("missing value for %s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	return expanded, nil
}

// inside returns the path of subPath in a volume, with symbolic links resolved, and creates a
// missing directory. Because a container might have created links, it rejects a subPath outside the
// volume and a volume outside top. container.Mount rejects links that are added later.
func inside(top, volume, subPath string) (string, error) {
	if !filepath.IsLocal(subPath) {
		return "", errors.New("the path must be relative, without \"..\" elements")
	}
	root, err := openVolume(top, volume)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	if _, err := root.Stat(subPath); errors.Is(err, fs.ErrNotExist) {
		err = makeSubPath(root, subPath)
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(filepath.Join(volume, subPath))
	if err != nil {
		return "", err
	}
	whole, err := filepath.EvalSymlinks(volume)
	if err != nil {
		return "", err
	}
	within, err := filepath.Rel(whole, real)
	if err != nil || !filepath.IsLocal(within) {
		return "", errors.New("the path leaves the volume")
	}
	return filepath.Join(volume, within), nil
}

func openVolume(top, volume string) (*os.Root, error) {
	root, err := os.OpenRoot(top)
	if err != nil || volume == top {
		return root, err
	}
	defer func() { _ = root.Close() }()
	rel, err := filepath.Rel(top, volume)
	if err != nil {
		return nil, err
	}
	return root.OpenRoot(rel)
}

// makeSubPath creates a directory with the volume's permissions, whatever the umask is.
func makeSubPath(root *os.Root, subPath string) error {
	volume, err := root.Stat(".")
	if err != nil {
		return err
	}
	if err := root.MkdirAll(subPath, 0o777); err != nil {
		return err
	}
	return root.Chmod(subPath, volume.Mode()&(fs.ModePerm|fs.ModeSetgid))
}
