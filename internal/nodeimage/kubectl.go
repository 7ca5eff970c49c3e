package nodeimage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// kubectlKey is the stage that compiles kubectl alone.
const kubectlKey = "kubectl"

// Kubectl returns the path of a kubectl of the version that the nodes run. It is the node image's if that was built on this machine;
// else it is compiled from the same module, which takes a minute or two, the first time. Like the control plane, it needs the go command.
func Kubectl(ctx context.Context, o Options) (string, error) {
	o = o.complete()
	r, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	alone := kubernetes(kubectlKey, "kubectl", kubectlKey)
	// Its module is not the project's, so that this one is not looked at.
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
		if ctx.Err() != nil {
			err = fmt.Errorf("%w; the next time it goes on from here: %w", ctx.Err(), err)
		}
		return "", err
	}
	return own, nil
}
