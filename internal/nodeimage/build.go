package nodeimage

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// build is a build of the node image.
type build struct {
	recipe   recipe
	pipeline pipeline
	engine   engine
	runner   runner
	mirror   string
	kindDir  string
}

// stages returns the stages in order. The root file system is first, because it detects problems of
// the machine early.
func (b build) stages() []stage {
	stages := []stage{{
		name: "Debian root file system", key: rootfsKey, digest: b.recipe.digests[rootfsKey],
		run: rootfs{mirror: b.mirror, runner: b.runner}.run,
	}}
	for _, c := range components() {
		stages = append(stages, b.recipe.compile(c, b.runner))
	}
	store := contentStore{
		arch: b.recipe.arch, kindDir: b.kindDir, built: b.built, runner: b.runner, version: b.recipe.kubernetesVersion(),
	}
	archive := nodeArchive{recipe: b.recipe, kindDir: b.kindDir, built: b.built, runner: b.runner}
	return append(stages,
		stage{name: "system images", key: imagesKey, digest: b.recipe.digests[imagesKey], run: store.run},
		stage{name: "node image", key: nodeKey, digest: b.recipe.digests[nodeKey], run: archive.run})
}

// compile returns the stage that builds a component.
func (r recipe) compile(c component, with runner) stage {
	compile := goBuild{component: c, source: r.source, version: r.versions[c.key], arch: r.arch, runner: with}
	return stage{name: c.name, key: c.key, digest: r.digests[c.key], run: compile.run}
}

// built returns the directory of a stage's result.
func (b build) built(key string) string {
	return b.pipeline.path(stage{key: key, digest: b.recipe.digests[key]})
}

// compiled reports whether the stages with the most time and disk space are done.
func (b build) compiled() bool {
	for _, key := range []string{controlPlaneKey, kubernetesKey} {
		if _, err := os.Stat(b.built(key)); err != nil {
			return false
		}
	}
	return true
}

// run builds the missing stages and loads the image into Docker.
func (b build) run(ctx context.Context) error {
	if err := b.pipeline.run(ctx, b.stages()); err != nil {
		return err
	}
	b.pipeline.progress.Note("loading the node image into Docker")
	if err := b.engine.load(ctx, filepath.Join(b.built(nodeKey), archiveFile)); err != nil {
		return err
	}
	return b.engine.removeOthers(ctx, repository, b.recipe.ref())
}

// kindDirectory returns the sources of the linked version of kind. It downloads them on machines
// that have only run a released binary.
func kindDirectory(ctx context.Context, r runner, source string) (string, error) {
	answer, err := output(ctx, r, command{
		name: "go", args: []string{"mod", "download", "-json", kindModule},
		dir: source, env: []string{"GOWORK=off", "GOFLAGS=-mod=readonly"},
	})
	if err != nil {
		return "", fmt.Errorf("find the sources of %s: %w", kindModule, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(answer), &module); err != nil || module.Dir == "" {
		return "", fmt.Errorf("find the sources of %s: unexpected output of go mod download: %q", kindModule, answer)
	}
	return module.Dir, nil
}
