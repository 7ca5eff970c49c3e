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

// kindFilesDir has the entrypoint, services and settings of a node, in the kind module.
const kindFilesDir = "images/base/files"

// tree is a set of files by their path in the image, without a leading slash.
type tree map[string]entry

// entry is one of: a file with content, a file copied from source, a directory, a link.
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

// nodeTree collects everything that is laid over the root file system.
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
	// kind reads the version, and applies the network's manifest, from these places.
	t.file("kind/version", 0o644, version)
	t.file("kind/manifests/default-cni.yaml", 0o644, podnetManifest)
	// There is no default-storage.yaml: kind then installs a storage class of its own that
	// needs no image.
	t["etc/kubernetes/manifests"] = entry{mode: fs.ModeDir | 0o755}
	return t, t.addStore(filepath.Join(built(imagesKey), storeDir))
}

// addKindFiles takes over kind's files with the modes that its Dockerfile gives them.
func (t tree) addKindFiles(dir string) error {
	err := filepath.WalkDir(dir, func(name string, found fs.DirEntry, err error) error {
		if err != nil || found.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		inside := filepath.ToSlash(relative)
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(inside, "usr/local/bin/") || strings.HasPrefix(inside, "kind/bin/") {
			mode = 0o755
		}
		t.copy(inside, mode, name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read kind's files: %w", err)
	}
	return nil
}

// containerdConfig is where containerd's configuration is, in kind's files and on a node.
const containerdConfig = "etc/containerd/config.toml"

// What a node changes in kind's configuration of containerd: containers are made with crun, and the loopback interface of a pod is
// brought up by containerd itself, which spares it a process for each pod that comes or goes.
// https://github.com/containerd/containerd/blob/main/docs/cri/config.md
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
		return fmt.Errorf("%s has no line %q, beside which to say what makes containers", file.source, strings.TrimSpace(containerdOption))
	}
	changed := strings.ReplaceAll(string(content), containerdOption, containerdOption+containerdBeside)
	t.file(containerdConfig, file.mode, changed+containerdAfterAll)
	return nil
}

// addBinaries puts the programs where kind's services expect them.
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

// addServices enables what a node runs. These links are what `systemctl enable` and
// `systemctl mask` make: https://www.freedesktop.org/software/systemd/man/systemctl.html
func (t tree) addServices() {
	const units = "etc/systemd/system"
	for _, service := range []string{"containerd.service", "kubelet.service", "undo-mount-hacks.service"} {
		t.link(path.Join(units, "multi-user.target.wants", service), "/"+path.Join(units, service))
	}
	// It registers binary formats with the kernel, which is the host's.
	t.link(path.Join(units, "systemd-binfmt.service"), "/dev/null")
	t.link("usr/sbin/init", "/usr/lib/systemd/systemd")
}

// addStore takes over what the content store stage made.
func (t tree) addStore(dir string) error {
	err := filepath.WalkDir(dir, func(name string, found fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := found.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		inside := path.Join("var/lib/containerd", filepath.ToSlash(relative))
		switch {
		case info.IsDir():
			t[inside] = entry{mode: fs.ModeDir | info.Mode().Perm()}
		case info.Mode().IsRegular():
			t.copy(inside, info.Mode().Perm(), name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read containerd's store: %w", err)
	}
	return nil
}

// dropped tells what of the Debian root file system does not belong on a node: services
// that would fight the host's over devices and mounts (the list is that of kind's
// Dockerfile), and files that describe the machine that built it. Device nodes come from
// the container runtime.
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
		if matched, _ := path.Match(pattern, name); matched { // The patterns are well formed.
			return true
		}
	}
	return header.Typeflag == tar.TypeChar || header.Typeflag == tar.TypeBlock
}

// criBaseWithout is what the base of every container on a node lacks of containerd's: no limits on resources of the process, as in
// kind's Dockerfile. That has a hook in it, too, which copies files into the root file system to hide from pods which machine the node
// runs on; it is left out, for crun runs it when a root file system that is to be read-only is so already.
const criBaseWithout = "rlimits"

// criBase turns the specification that `ctr oci spec` prints into the base of every container on a node.
func criBase(spec []byte) (string, error) {
	var document map[string]any
	if err := json.Unmarshal(spec, &document); err != nil {
		return "", fmt.Errorf("read output of ctr oci spec: %w", err)
	}
	process, ok := document["process"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("read output of ctr oci spec: no process in it: %s", spec)
	}
	delete(process, criBaseWithout)
	rendered, err := json.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("write containerd's base specification: %w", err)
	}
	return string(rendered), nil
}

// ociSpec asks the containerd that goes into the image for its default specification.
func ociSpec(ctx context.Context, r runner, ctr string) (string, error) {
	spec, err := output(ctx, r, command{name: ctr, args: []string{"oci", "spec"}})
	if err != nil {
		return "", err
	}
	return criBase([]byte(spec))
}
