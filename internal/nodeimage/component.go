package nodeimage

import (
	"cmp"
	"fmt"
	"path"
	"strings"
)

// component is a Go program, or several of one module, that goes into the image.
type component struct {
	key  string // names the stage's results
	name string // for people
	// module is the directory of the nested module, if it is not called like the key.
	module string
	// of is the module whose version is the component's; empty for our own programs,
	// which are built from the project's module.
	of string
	// packages are what is built, as go build wants it. "tool" means all tools that the
	// module's go.mod declares, which is also what keeps `go mod tidy` from dropping them.
	packages []string
	// binaries are the files that result. go build chooses the names, except where there
	// is exactly one.
	binaries []string
	tags     []string
	// plain are packages, as patterns, that are compiled without optimization: large, and seldom what anybody waits for.
	plain []string
	// variables are set by the linker, as package.name=value. {version}, {major}, {minor}
	// and {date} stand for those of the module in of.
	variables []string
}

// modulesDir holds the nested modules, relative to the checkout's root.
const modulesDir = "internal/nodeimage/modules"

// Keys of the components that are referred to one by one.
const (
	controlPlaneKey = "controlplane"
	kubernetesKey   = "kubernetes"
	etcdKey         = "etcd"
)

// components are in the order in which they are built: Kubernetes first, because it takes
// two thirds of the time and fills the build cache for those that share its packages.
func components() []component {
	return []component{
		kubernetes(controlPlaneKey, "Kubernetes control plane", controlPlanePrograms()...),
		kubernetes(kubernetesKey, "Kubernetes node", "kube-proxy", "kubelet", "kubeadm", "kubectl"),
		{
			key: "containerd", name: "containerd", of: "github.com/containerd/containerd/v2",
			packages: []string{"tool"},
			binaries: []string{"containerd", "containerd-shim-runc-v2", "ctr"},
			// Snapshotters that kind never selects; two of them would need C libraries.
			tags:      []string{"no_btrfs", "no_devmapper", "no_zfs"},
			variables: []string{"github.com/containerd/containerd/v2/version.Version={version}"},
		},
		{
			key: "critools", name: "crictl", of: "sigs.k8s.io/cri-tools",
			packages:  []string{"tool"},
			binaries:  []string{"crictl"},
			variables: []string{"sigs.k8s.io/cri-tools/pkg/version.Version={version}"},
		},
		{
			key: "cniplugins", name: "CNI plugins", of: "github.com/containernetworking/plugins",
			packages:  []string{"tool"},
			binaries:  []string{"host-local", "loopback", "portmap", "ptp"},
			variables: []string{"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={version}"},
		},
		{
			key: etcdKey, name: "etcd", of: "go.etcd.io/etcd/server/v3",
			packages: []string{"tool"},
			binaries: []string{etcdProgram},
		},
		{
			key: "coredns", name: "CoreDNS", of: "github.com/coredns/coredns",
			packages: []string{"."},
			binaries: []string{"coredns"},
		},
		{
			key: "own", name: "pod network and pause",
			packages: []string{"./internal/nodeimage/cmd/podnet", "./internal/nodeimage/cmd/pause"},
			binaries: []string{"podnet", "pause"},
		},
	}
}

// kubernetes are programs of Kubernetes, which two stages build of one module: the control plane is all that an embedded
// cluster takes. What one stage has compiled, the other finds in Go's build cache, because their flags are the same.
func kubernetes(key, name string, programs ...string) component {
	packages := make([]string, len(programs))
	for i, program := range programs {
		packages[i] = "k8s.io/kubernetes/cmd/" + program
	}
	return component{
		key: key, name: name, module: "kubernetes", of: "k8s.io/kubernetes", packages: packages, binaries: programs,
		// docs/decisions/0008-compile-shared-packages-once.md has what that saves and costs.
		plain: []string{"k8s.io/kubernetes/...", "github.com/google/cadvisor/..."},
		// Without these a node reports v0.0.0-master: hack/lib/version.sh there.
		variables: append(
			versionVariables("k8s.io/component-base/version"),
			versionVariables("k8s.io/client-go/pkg/version")...),
	}
}

func versionVariables(pkg string) []string {
	return []string{
		pkg + ".gitVersion={version}",
		pkg + ".gitMajor={major}",
		pkg + ".gitMinor={minor}",
		pkg + ".gitTreeState=archive",
		// The module proxy does not tell the commit; the default is a placeholder of git.
		pkg + ".gitCommit=",
		pkg + ".buildDate={date}",
	}
}

// dir is the directory to build in, relative to the checkout's root.
func (c component) dir() string {
	if c.of == "" {
		return "."
	}
	return path.Join(modulesDir, cmp.Or(c.module, c.key))
}

// needsDate tells whether {date} occurs, which costs a look into the module cache.
func (c component) needsDate() bool {
	return strings.Contains(strings.Join(c.variables, " "), "{date}")
}

// linkerFlags renders -ldflags. version is that of the module in of (vMAJOR.MINOR...),
// date its release in RFC 3339.
func (c component) linkerFlags(version, date string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	fill := strings.NewReplacer("{version}", version, "{major}", major, "{minor}", minor, "{date}", date)
	flags := []string{"-s", "-w"} // Nobody debugs a node's binaries; they are a third smaller.
	for _, variable := range c.variables {
		flags = append(flags, "-X", fill.Replace(variable))
	}
	return strings.Join(flags, " ")
}

// buildArguments are those of the go command that puts the component's binaries into out.
func (c component) buildArguments(out, version, date string) []string {
	if len(c.binaries) == 1 {
		out = path.Join(out, c.binaries[0])
	} else {
		out += "/"
	}
	arguments := []string{
		"build", "-v", "-trimpath",
		"-gcflags=" + sharedFlags,
	}
	for _, pattern := range c.plain {
		arguments = append(arguments, "-gcflags="+pattern+"=-N -l "+noDebugInformation)
	}
	arguments = append(arguments, "-ldflags="+c.linkerFlags(version, date))
	if len(c.tags) > 0 {
		arguments = append(arguments, "-tags="+strings.Join(c.tags, ","))
	}
	return append(append(arguments, "-o", out), c.packages...)
}

// noDebugInformation keeps the compiler from making what the linker drops anyway, which saves time.
const noDebugInformation = "-dwarf=false"

// sharedFlags is the -gcflags of everything that a user compiles: the programs here, the CLI (in the Makefile) and the
// images of the project. Go's build cache tells packages apart by them, so that what these programs have in common is
// compiled once only if they are the same.
const sharedFlags = "all=" + noDebugInformation

// describe is a text that changes whenever what is built from the same sources does.
func (c component) describe() string {
	return fmt.Sprintf("%q %q", c.buildArguments("out", "{version}", "{date}"), c.binaries)
}
