package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Programs are those of a control plane, ready to run on this machine.
type Programs struct {
	// Dir holds etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
	Dir string
	// KubernetesVersion is that of all but etcd, as v1.36.3.
	KubernetesVersion string
}

// etcdProgram is the one program of a control plane that is not Kubernetes'.
const etcdProgram = "etcd"

// controlPlanePrograms are those of Kubernetes.
func controlPlanePrograms() []string {
	return []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// programsKey is the stage that brings the four programs together in one directory.
const programsKey = "programs"

// ControlPlanePresent returns what ControlPlane would return without compiling anything, and whether it is there. It
// only looks for files, and starts nothing.
func ControlPlanePresent(o Options) (Programs, bool, error) {
	o = o.complete()
	if o.KubeBin != "" {
		// What runs is found out when it is used.
		return Programs{Dir: o.KubeBin}, readyPrograms(o.KubeBin).missing() == nil, nil
	}
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return Programs{}, false, err
	}
	p := o.programs(r)
	return p, readyPrograms(p.Dir).missing() == nil, nil
}

// ControlPlane returns the programs of a control plane. Those that Options.KubeBin or INGRESSLAB_KUBE_BIN names are checked
// and taken; else they are compiled from their modules, unless that was done before: it takes minutes, and
// Options.Progress tells how far it is. Compiling needs the go command and room on the disk, and neither root nor Docker.
//
// A build that ctx ends leaves no process, and the next one goes on from there. The error is ErrCannotCompile where the
// machine is the reason.
func ControlPlane(ctx context.Context, o Options) (Programs, error) {
	o = o.complete()
	if o.KubeBin != "" {
		version, err := readyPrograms(o.KubeBin).check(ctx, o.runner)
		return Programs{Dir: o.KubeBin, KubernetesVersion: version}, err
	}
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return Programs{}, err
	}
	p := o.programs(r)
	if !o.Force && readyPrograms(p.Dir).missing() == nil {
		return p, nil
	}
	if err := o.machine.checkCompiler(o.CacheDir); err != nil {
		return Programs{}, err
	}
	pipe := pipeline{purpose: "compile the control plane", dir: o.CacheDir, progress: o.Progress, fresh: o.Force}
	if err := pipe.run(ctx, r.controlPlaneStages(pipe, o.runner)); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w; the next time it goes on from here: %w", ctx.Err(), err)
		}
		return Programs{}, err
	}
	return p, nil
}

// programs are where the recipe's will be.
func (o Options) programs(r recipe) Programs {
	dir := pipeline{dir: o.CacheDir}.path(stage{key: programsKey, digest: r.programsDigest()})
	return Programs{Dir: dir, KubernetesVersion: r.kubernetesVersion()}
}

func (r recipe) programsDigest() string {
	return digestOf(programsKey, r.digests[controlPlaneKey], r.digests[etcdKey])
}

// controlPlaneStages are two of the node image's, and one that links their programs into one directory.
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
				// Relative to the directory, which is renamed when the stage is done and stays beside the others.
				if err := os.Symlink(filepath.Join("..", target, program), filepath.Join(dir, program)); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// ErrCannotCompile says that the control plane cannot be compiled on this machine. The message that wraps it says what is
// missing.
var ErrCannotCompile = errors.New("the control plane cannot be compiled here")

// spaceControlPlane is what compiling the control plane from zero takes.
const spaceControlPlane = 4 * gibibyte

// checkCompiler looks, before any work, for what compiling the control plane would miss.
func (h host) checkCompiler(cacheDir string) error {
	if h.system != "linux" {
		return fmt.Errorf("%w: its programs run on Linux only, and this is %s", ErrCannotCompile, h.system)
	}
	if _, err := h.find("go"); err != nil {
		return fmt.Errorf("%w: there is no go command in PATH; install Go, or set %s to a directory with the programs",
			ErrCannotCompile, kubeBinVariable)
	}
	free, err := h.free(cacheDir)
	if err != nil {
		return err
	}
	if free < spaceControlPlane {
		return fmt.Errorf("%w: %s has %d MiB free, and it takes %d MiB; XDG_CACHE_HOME and GOCACHE choose another place",
			ErrCannotCompile, cacheDir, free/bytesPerMebi, uint64(spaceControlPlane)/bytesPerMebi)
	}
	return nil
}
