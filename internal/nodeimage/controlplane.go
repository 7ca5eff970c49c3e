package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Programs locates the executables of a control plane.
type Programs struct {
	// Dir contains etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
	Dir               string
	KubernetesVersion string // the version of the programs except etcd, such as v1.36.3
}

// etcdProgram is the only program of a control plane that is not part of Kubernetes.
const etcdProgram = "etcd"

// controlPlanePrograms returns the programs of a control plane that are part of Kubernetes.
func controlPlanePrograms() []string {
	return []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// programsKey is the stage that links the four programs into one directory.
const programsKey = "programs"

// ControlPlanePresent is ControlPlane without compiling. It reports whether the programs exist.
func ControlPlanePresent(o Options) (Programs, bool, error) {
	o = o.complete()
	if o.KubeBin != "" {
		// ControlPlane checks the version.
		return Programs{Dir: o.KubeBin}, kubeBin(o.KubeBin).missing() == nil, nil
	}
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return Programs{}, false, err
	}
	p := o.programs(r)
	return p, kubeBin(p.Dir).missing() == nil, nil
}

// ControlPlane checks and returns the programs in Options.KubeBin. If that is not set, it compiles
// them from Go modules once, in several minutes, without root or Docker. If ctx ends, the next run
// resumes. If this machine cannot compile the programs, the error is ErrCannotCompile.
func ControlPlane(ctx context.Context, o Options) (Programs, error) {
	o = o.complete()
	if o.KubeBin != "" {
		version, err := kubeBin(o.KubeBin).check(ctx, o.runner)
		return Programs{Dir: o.KubeBin, KubernetesVersion: version}, err
	}
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return Programs{}, err
	}
	p := o.programs(r)
	if !o.Force && kubeBin(p.Dir).missing() == nil {
		return p, nil
	}
	if err := o.machine.checkCompiler(o.CacheDir); err != nil {
		return Programs{}, err
	}
	pipe := pipeline{purpose: "compile the control plane", dir: o.CacheDir, progress: o.Progress, fresh: o.Force}
	if err := pipe.run(ctx, r.controlPlaneStages(pipe, o.runner)); err != nil {
		return Programs{}, resumable(ctx, err)
	}
	return p, nil
}

// programs returns the location of the recipe's programs.
func (o Options) programs(r recipe) Programs {
	dir := pipeline{dir: o.CacheDir}.path(stage{key: programsKey, digest: r.programsDigest()})
	return Programs{Dir: dir, KubernetesVersion: r.kubernetesVersion()}
}

func (r recipe) programsDigest() string {
	return digestOf(programsKey, r.digests[controlPlaneKey], r.digests[etcdKey])
}

// controlPlaneStages returns two stages of the node image, and one that links their programs.
func (r recipe) controlPlaneStages(p pipeline, with runner) []stage {
	var stages []stage
	targets := map[string]string{} // program -> directory
	for _, c := range components() {
		if c.key != controlPlaneKey && c.key != etcdKey {
			continue
		}
		compile := r.compile(c, with)
		stages = append(stages, compile)
		for _, program := range c.binaries {
			targets[program] = filepath.Base(p.path(compile))
		}
	}
	return append(stages, stage{
		name: "all four programs", key: programsKey, digest: r.programsDigest(),
		run: func(_ context.Context, dir string, _ func(string)) error {
			for program, target := range targets {
				// A relative link, because the directory is renamed after the stage.
				if err := os.Symlink(filepath.Join("..", target, program), filepath.Join(dir, program)); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// ErrCannotCompile means that this machine cannot compile the programs. The wrapping error says why.
var ErrCannotCompile = errors.New("cannot compile the control plane on this machine")

// spaceControlPlane is the disk space for compiling the control plane with empty caches.
const spaceControlPlane = 4 * gibibyte

// checkCompiler checks the requirements for compiling the control plane.
func (h host) checkCompiler(cacheDir string) error {
	if h.system != "linux" {
		return fmt.Errorf("%w: the control plane runs only on Linux, and this machine runs %s", ErrCannotCompile, h.system)
	}
	if _, err := h.find("go"); err != nil {
		return fmt.Errorf("%w: the go command is not in PATH; install Go, or set %s to a directory with the programs",
			ErrCannotCompile, kubeBinVariable)
	}
	return h.checkSpace(ErrCannotCompile, cacheDir, "compiling", spaceControlPlane)
}

// kubeBinVariable is the environment variable for Options.KubeBin.
const kubeBinVariable = "INGRESSLAB_KUBE_BIN"

// kubeBin is a directory with the programs of a control plane.
type kubeBin string

// missing returns an error that names the missing programs.
func (d kubeBin) missing() error {
	var problems []error
	for _, program := range append(controlPlanePrograms(), etcdProgram) {
		info, err := os.Stat(filepath.Join(string(d), program))
		const executable = 0o111
		switch {
		case errors.Is(err, os.ErrNotExist):
			problems = append(problems, fmt.Errorf("%s not found", program))
		case err != nil:
			problems = append(problems, err)
		case !info.Mode().IsRegular() || info.Mode()&executable == 0:
			problems = append(problems, fmt.Errorf("%s is not an executable file", program))
		}
	}
	return errors.Join(problems...)
}

// check runs every program with --version and returns the version of the API server.
func (d kubeBin) check(ctx context.Context, with runner) (version string, err error) {
	if err := d.missing(); err != nil {
		return "", fmt.Errorf("%s=%s: %w", kubeBinVariable, d, err)
	}
	var problems []error
	for _, program := range append(controlPlanePrograms(), etcdProgram) {
		answer, err := output(ctx, with, command{name: filepath.Join(string(d), program), args: []string{"--version"}})
		if err == nil && program == controlPlanePrograms()[0] {
			version, err = kubernetesVersionIn(answer)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return "", fmt.Errorf("%s=%s: %w", kubeBinVariable, d, err)
	}
	return version, nil
}

// kubernetesVersionIn parses output such as "Kubernetes v1.36.3".
func kubernetesVersionIn(answer string) (string, error) {
	words := strings.Fields(answer)
	if len(words) == 2 && words[0] == "Kubernetes" && strings.HasPrefix(words[1], "v") {
		return words[1], nil
	}
	return "", fmt.Errorf("unexpected output of %s --version: %q", controlPlanePrograms()[0], answer)
}

// kubectlKey is the stage that compiles only kubectl.
const kubectlKey = "kubectl"

// Kubectl returns the path of a kubectl in the version of the nodes. It takes it from a node image
// that was built on this machine, or compiles it once, which needs Go and takes a minute or two.
func Kubectl(ctx context.Context, o Options) (string, error) {
	o = o.complete()
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	alone := kubernetes(kubectlKey, "kubectl", kubectlKey)
	// The root module is not needed, because kubectl is in a nested module.
	if err := r.readComponent(alone, nil); err != nil {
		return "", err
	}
	pipe := pipeline{purpose: "compile kubectl", dir: o.CacheDir, progress: o.Progress, fresh: o.Force}
	compile := r.compile(alone, o.runner)
	own := filepath.Join(pipe.path(compile), kubectlKey)
	ofNode := filepath.Join(pipe.path(stage{key: kubernetesKey, digest: r.digests[kubernetesKey]}), kubectlKey)
	if !o.Force {
		for _, program := range []string{ofNode, own} {
			if _, err := os.Stat(program); err == nil {
				return program, nil
			}
		}
	}
	if err := o.machine.checkCompiler(o.CacheDir); err != nil {
		return "", err
	}
	if err := pipe.run(ctx, []stage{compile}); err != nil {
		return "", resumable(ctx, err)
	}
	return own, nil
}
