package podspec

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

func volumeDir(pod Pod, volume string) string { return filepath.Join(pod.Dir, "volumes", volume) }

// mounts returns a container's volumeMounts and the files of /etc. Outer mounts precede inner ones.
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
	case volume.EmptyDir == nil: // kubelets mount their own files read-only
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

// expandSubPath is expand with the requirement that every variable has a value
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

// inside returns the path of subPath in a volume with symbolic links resolved. It creates a missing
// directory. A container might have created links, so it rejects a subPath outside the volume and a
// volume outside top. container.Mount handles later changes.
func inside(top, volume, subPath string) (string, error) {
	if !filepath.IsLocal(subPath) {
		return "", errors.New("the path must be relative, without ..")
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

// makeSubPath creates a directory with the volume's permissions, independent of the umask.
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
