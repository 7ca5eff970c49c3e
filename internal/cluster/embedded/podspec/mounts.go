package podspec

import (
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

// mounts are the volumeMounts of a container and the files that every container has. An outer one comes before what is
// mounted inside it.
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

// nodeFiles writes the files that a node gives to every container of a pod and returns them by where they are mounted.
func (n *Node) nodeFiles(pod Pod) (map[string]string, error) {
	host, err := n.hostname(pod.Pod)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for name, content := range map[string]string{
		"hosts":       n.hosts(pod, host),
		"hostname":    host.kernel + "\n",
		"resolv.conf": n.resolver(pod.Pod).String(),
	} {
		file := filepath.Join(pod.Dir, "etc", name)
		if err := writeFile(file, content); err != nil {
			return nil, err
		}
		files["/etc/"+name] = file
	}
	return files, nil
}

// writeFile leaves a file with the right content alone: a container may have it mounted.
func writeFile(file, content string) error {
	old, err := os.ReadFile(file)
	if err == nil && string(old) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Chmod(file, 0o644) // umask(2) has no say
}

// mount finds the file or directory of a volumeMount. The error is a *ConfigError.
func (n *Node) mount(pod Pod, c *corev1.Container, m *corev1.VolumeMount, env *environment) (container.Mount, error) {
	var volume *corev1.Volume
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Name == m.Name {
			volume = &pod.Spec.Volumes[i]
		}
	}
	if volume == nil {
		return container.Mount{}, configErrorf("cannot find volume %q to mount into container %q", m.Name, c.Name)
	}
	source, within, readOnly := volumeDir(pod, m.Name), "", m.ReadOnly
	switch {
	case volume.HostPath != nil:
		source, within = n.hostPath(volume.HostPath.Path), n.HostDir
	case volume.EmptyDir == nil: // kubelets mount what they write read-only
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
		if within == "" {
			within = source
		}
		inner, err := inside(within, source, subPath)
		if err != nil {
			return container.Mount{}, configErrorf("failed to prepare subPath for volumeMount %q of container %q: %v", m.Name, c.Name, err)
		}
		source = inner
	}
	return container.Mount{Source: source, Target: path.Clean("/" + m.MountPath), ReadOnly: readOnly, Within: within}, nil
}

// expandSubPath is expand, but every variable has to be there
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

// inside returns what subPath is within a volume, with symbolic links resolved; a directory is made if there is nothing. A
// container that may write to the volume may have put a link there that leads out of it, or in the place of the volume one
// that leads out of top, which is the volume or a directory above it. What changes after this is for the mount to notice, see
// container.Mount.
func inside(top, volume, subPath string) (string, error) {
	if !filepath.IsLocal(subPath) {
		return "", errors.New("it must be relative and have no .. in it")
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
		return "", errors.New("it leads out of the volume")
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

// makeSubPath makes a directory that may be used by whoever may use the volume, whatever umask(2) says.
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
