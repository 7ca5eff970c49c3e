package nodeimage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// goBuild is the stage that compiles a component.
type goBuild struct {
	component component
	source    string // root of the checkout
	version   string
	arch      string
	runner    runner
}

// run compiles static Linux binaries into dir. It overrides the user's Go settings.
func (b goBuild) run(ctx context.Context, dir string, detail func(string)) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c := command{
		name: "go",
		dir:  filepath.Join(b.source, filepath.FromSlash(b.component.dir())),
		env: []string{
			"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.arch, "GOWORK=off",
			// Do not change go.mod. Do not run git, because the source might not be a repository.
			"GOFLAGS=-mod=readonly -buildvcs=false",
		},
	}
	c.env = append(c.env, compilerGC(os.Getenv, totalMemory())...)
	date := ""
	if b.component.needsDate() {
		list := c
		list.args = []string{"list", "-m", "-f", `{{.Time.UTC.Format "2006-01-02T15:04:05Z"}}`, b.component.of}
		if date, err = output(ctx, b.runner, list); err != nil {
			return fmt.Errorf("look up %s: %w", b.component.of, err)
		}
	}
	log := &buildLog{detail: detail}
	c.args = b.component.buildArguments(dir, b.version, date)
	c.line = log.line
	if err := b.runner.run(ctx, c); err != nil {
		return log.explain(err)
	}
	return b.check(dir)
}

func (b goBuild) check(dir string) error {
	for _, name := range b.component.binaries {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("go build did not create %s", name)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// buildLog parses the stderr of `go build -v`: import paths of packages, downloads and errors.
type buildLog struct {
	detail   func(string)
	packages int
	problems []string
}

const keptProblems = 12

func (l *buildLog) line(line string) {
	if module, ok := strings.CutPrefix(line, "go: downloading "); ok {
		l.detail("downloading " + module)
		return
	}
	if isPackage(line) {
		l.packages++
		l.detail(fmt.Sprintf("%d packages, %s", l.packages, line))
		return
	}
	if len(l.problems) < keptProblems {
		l.problems = append(l.problems, line)
	}
}

// isPackage reports whether a line is an import path. Messages contain spaces or colons.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}

// explain adds the compilers' messages to err. They need not be the last lines of a parallel build.
func (l *buildLog) explain(err error) error {
	var failed *failure
	if !errors.As(err, &failed) || len(l.problems) == 0 {
		return err
	}
	return &failure{command: failed.command, tail: strings.Join(l.problems, "\n"), err: failed.err}
}

// compilerGC returns a GOGC (https://go.dev/doc/gc-guide#GOGC) that speeds up compiling with
// enough memory (docs/node-image.md), unless the user has set GOGC. The binaries are the same.
func compilerGC(getenv func(string) string, memory uint64) []string {
	const enough = 8 << 30 // bytes; a cautious estimate
	if getenv("GOGC") != "" || memory < enough {
		return nil
	}
	return []string{"GOGC=400"}
}

// totalMemory returns the memory of the machine in bytes, or 0 if unknown.
// https://docs.kernel.org/filesystems/proc.html#meminfo
func totalMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kibibytes, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return 0
			}
			return kibibytes << 10
		}
	}
	return 0
}

// component is a set of Go programs of one module for the image.
type component struct {
	key    string // prefix of the stage's results
	name   string // shown to users
	module string // the directory of the nested module. Default: key.
	// of is the module that has the component's version. It is empty for programs of this project.
	of string
	// packages are the arguments of go build. "tool" means all tools in the module's go.mod.
	packages []string
	binaries []string // the resulting files. go build chooses the names, unless there is only one
	tags     []string
	plain    []string // patterns of large packages that are compiled without optimization
	// variables are PACKAGE.NAME=VALUE for -X. {version}, {major}, {minor}, {date} are values of `of`.
	variables []string
}

// modulesDir is the directory of the nested modules in the checkout.
const modulesDir = "internal/nodeimage/modules"

// Keys of components.
const (
	controlPlaneKey = "controlplane"
	kubernetesKey   = "kubernetes"
	etcdKey         = "etcd"
)

// components are in build order. Kubernetes takes most of the time. Others reuse its packages.
func components() []component {
	return []component{
		kubernetes(controlPlaneKey, "Kubernetes control plane", controlPlanePrograms()...),
		kubernetes(kubernetesKey, "Kubernetes node", "kube-proxy", "kubelet", "kubeadm", "kubectl"),
		{
			key: "containerd", name: "containerd", of: "github.com/containerd/containerd/v2",
			packages: []string{"tool"},
			binaries: []string{"containerd", "containerd-shim-runc-v2", "ctr"},
			// kind does not use these snapshotters, and two of them need C libraries.
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

// kubernetes returns a component of Kubernetes. There are two, because embedded clusters need only
// the control plane. With the same flags, they share packages in Go's build cache.
func kubernetes(key, name string, programs ...string) component {
	packages := make([]string, len(programs))
	for i, program := range programs {
		packages[i] = "k8s.io/kubernetes/cmd/" + program
	}
	return component{
		key: key, name: name, module: "kubernetes", of: "k8s.io/kubernetes", packages: packages, binaries: programs,
		// See docs/decisions/0008-compile-shared-packages-once.md for the benefits and costs.
		plain: []string{"k8s.io/kubernetes/...", "github.com/google/cadvisor/..."},
		// Without these, a node reports v0.0.0-master (hack/lib/version.sh in Kubernetes).
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
		// The module proxy does not provide the commit, and the default is a placeholder.
		pkg + ".gitCommit=",
		pkg + ".buildDate={date}",
	}
}

// dir returns the directory to build in, relative to the checkout.
func (c component) dir() string {
	if c.of == "" {
		return "."
	}
	return path.Join(modulesDir, cmp.Or(c.module, c.key))
}

// needsDate reports whether a variable contains {date}, which requires another go command.
func (c component) needsDate() bool {
	return strings.Contains(strings.Join(c.variables, " "), "{date}")
}

// linkerFlags returns -ldflags for c.of's version (vMAJOR.MINOR...) and date (RFC 3339).
func (c component) linkerFlags(version, date string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	fill := strings.NewReplacer("{version}", version, "{major}", major, "{minor}", minor, "{date}", date)
	flags := []string{"-s", "-w"} // without debug information, binaries are a third smaller
	for _, variable := range c.variables {
		flags = append(flags, "-X", fill.Replace(variable))
	}
	return strings.Join(flags, " ")
}

// buildArguments returns the arguments of the go command that builds the binaries in out.
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

// noDebugInformation saves compile time. The linker drops debug information anyway.
const noDebugInformation = "-dwarf=false"

// sharedFlags is the -gcflags of all programs that a user compiles: components, the CLI
// (Makefile), and the project's images. With the same flags, they share packages in Go's build cache.
const sharedFlags = "all=" + noDebugInformation

// describe returns a text that changes when the build settings change.
func (c component) describe() string {
	return fmt.Sprintf("%q %q", c.buildArguments("out", "{version}", "{date}"), c.binaries)
}
