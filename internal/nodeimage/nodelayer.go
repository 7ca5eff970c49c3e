package nodeimage

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// kindFilesDir contains the entrypoint, services and settings of a node in the kind module.
const kindFilesDir = "images/base/files"

// tree maps paths in the image, without a leading slash, to files.
type tree map[string]entry

// entry is a file with content, a file copied from source, a directory, or a symbolic link.
type entry struct {
	mode    fs.FileMode
	content []byte
	source  string
	target  string
}

func (t tree) file(path string, mode fs.FileMode, content string) {
	t[path] = entry{mode: mode, content: []byte(content)}
}

func (t tree) copy(path string, mode fs.FileMode, source string) {
	t[path] = entry{mode: mode, source: source}
}

func (t tree) link(path, target string) {
	t[path] = entry{mode: fs.ModeSymlink | 0o777, target: target}
}

// nodeTree returns all files that are added to the root file system.
func nodeTree(kindDir, version, cri string, built func(key string) string) (tree, error) {
	t := tree{}
	if err := t.addKindFiles(filepath.Join(kindDir, kindFilesDir)); err != nil {
		return nil, err
	}
	if err := t.configureContainerd(); err != nil {
		return nil, err
	}
	t.addBinaries(built)
	t.addServices()
	t.file("etc/containerd/cri-base.json", 0o644, cri)
	t.file("etc/systemd/journald.conf.d/10-node.conf", 0o644, journaldConf)
	t.file("etc/systemd/system/containerd.service.d/10-oom-score.conf", 0o644, oomScoreConf)
	t.file("kind/bin/restrict-oom-score.sh", 0o755, oomScoreScript)
	// kind reads the version and the manifest of the pod network from these paths.
	t.file("kind/version", 0o644, version)
	t.file("kind/manifests/default-cni.yaml", 0o644, podnetManifest)
	// Without default-storage.yaml, kind installs a storage class that needs no image.
	t["etc/kubernetes/manifests"] = entry{mode: fs.ModeDir | 0o755}
	return t, t.addStore(filepath.Join(built(imagesKey), storeDir))
}

// addKindFiles adds kind's files with the modes of its Dockerfile.
func (t tree) addKindFiles(dir string) error {
	return walk(dir, "", func(inside, name string, info fs.FileInfo) {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(inside, "usr/local/bin/") || strings.HasPrefix(inside, "kind/bin/") {
			mode = 0o755
		}
		if !info.IsDir() {
			t.copy(inside, mode, name)
		}
	})
}

// addStore adds the result of the content store stage.
func (t tree) addStore(dir string) error {
	return walk(dir, "var/lib/containerd", func(inside, name string, info fs.FileInfo) {
		switch {
		case info.IsDir():
			t[inside] = entry{mode: fs.ModeDir | info.Mode().Perm()}
		case info.Mode().IsRegular():
			t.copy(inside, info.Mode().Perm(), name)
		}
	})
}

// walk calls add for everything in dir. inside is the path in the image, below prefix.
func walk(dir, prefix string, add func(inside, name string, info fs.FileInfo)) error {
	return filepath.WalkDir(dir, func(name string, found fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read files of the node image: %w", err)
		}
		info, err := found.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		add(path.Join(prefix, filepath.ToSlash(relative)), name, info)
		return nil
	})
}

// containerdConfig is the path of containerd's configuration in kind's files and on a node.
const containerdConfig = "etc/containerd/config.toml"

// Changes to kind's containerd: it uses crun and sets up loopback itself, which saves a process for
// each pod (https://github.com/containerd/containerd/blob/main/docs/cri/config.md).
const (
	containerdOption   = "    SystemdCgroup = true\n"
	containerdBeside   = "    BinaryName = \"crun\"\n"
	containerdAfterAll = "\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  use_internal_loopback = true\n"
)

func (t tree) configureContainerd() error {
	file := t[containerdConfig]
	content, err := os.ReadFile(file.source)
	if err != nil {
		return fmt.Errorf("read kind's configuration of containerd: %w", err)
	}
	if !strings.Contains(string(content), containerdOption) {
		return fmt.Errorf("line %[2]q not found in %[1]s, cannot select crun", file.source, strings.TrimSpace(containerdOption))
	}
	changed := strings.ReplaceAll(string(content), containerdOption, containerdOption+containerdBeside)
	t.file(containerdConfig, file.mode, changed+containerdAfterAll)
	return nil
}

// addBinaries adds the programs at the paths that kind's services use.
func (t tree) addBinaries(built func(key string) string) {
	for key, place := range map[string]struct {
		dir   string
		names []string
	}{
		"containerd":  {"usr/local/bin", []string{"containerd", "containerd-shim-runc-v2", "ctr"}},
		"critools":    {"usr/local/bin", []string{"crictl"}},
		kubernetesKey: {"usr/bin", []string{"kubeadm", "kubectl", "kubelet"}},
		"cniplugins":  {"opt/cni/bin", []string{"host-local", "loopback", "portmap", "ptp"}},
	} {
		for _, name := range place.names {
			t.copy(path.Join(place.dir, name), 0o755, filepath.Join(built(key), name))
		}
	}
}

// addServices enables services with the links of `systemctl enable` and `systemctl mask`:
// https://www.freedesktop.org/software/systemd/man/systemctl.html
func (t tree) addServices() {
	const units = "etc/systemd/system"
	for _, service := range []string{"containerd.service", "kubelet.service", "undo-mount-hacks.service"} {
		t.link(path.Join(units, "multi-user.target.wants", service), "/"+path.Join(units, service))
	}
	// systemd-binfmt would register binary formats in the host's kernel.
	t.link(path.Join(units, "systemd-binfmt.service"), "/dev/null")
	t.link("usr/sbin/init", "/usr/lib/systemd/systemd")
}

// dropped reports whether a file of the Debian root file system is excluded. Excluded are services
// that conflict with the host (as in kind's Dockerfile) and files that describe the build machine.
// Device nodes are excluded, too, because the container runtime creates them.
func dropped(name string, header *tar.Header) bool {
	for _, pattern := range []string{
		"usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
		"usr/lib/systemd/system/multi-user.target.wants/*",
		"usr/lib/systemd/system/local-fs.target.wants/*",
		"usr/lib/systemd/system/sockets.target.wants/*udev*",
		"usr/lib/systemd/system/sockets.target.wants/*initctl*",
		"usr/lib/systemd/system/basic.target.wants/*",
		"etc/systemd/system/*.wants/*",
		"etc/resolv.conf",
		"etc/hostname",
	} {
		if matched, _ := path.Match(pattern, name); matched { // the patterns are valid
			return true
		}
	}
	return header.Typeflag == tar.TypeChar || header.Typeflag == tar.TypeBlock
}

// criBaseWithout is the field to remove from containerd's base specification: no resource limits,
// as in kind's Dockerfile. kind also adds a hook that hides the product name of the machine from
// pods. This image omits it, because crun runs it after a root file system has become read-only.
const criBaseWithout = "rlimits"

// criBase converts the output of `ctr oci spec` to the base specification of containers on a node.
func criBase(spec []byte) (string, error) {
	var document map[string]any
	if err := json.Unmarshal(spec, &document); err != nil {
		return "", fmt.Errorf("read output of ctr oci spec: %w", err)
	}
	process, ok := document["process"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("read output of ctr oci spec: process is missing: %s", spec)
	}
	delete(process, criBaseWithout)
	rendered, err := json.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("write containerd's base specification: %w", err)
	}
	return string(rendered), nil
}

// ociSpec returns the default specification of the containerd in the image.
func ociSpec(ctx context.Context, r runner, ctr string) (string, error) {
	spec, err := output(ctx, r, command{name: ctr, args: []string{"oci", "spec"}})
	if err != nil {
		return "", err
	}
	return criBase([]byte(spec))
}
