package nodeimage

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	gobuild "go/build"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// Files in the image, and scripts that build it.
var (
	//go:embed files/nettools.sh
	nettoolsScript string
	//go:embed files/default-cni.yaml
	podnetManifest string
	//go:embed files/journald.conf
	journaldConf string
	//go:embed files/restrict-oom-score.conf
	oomScoreConf string
	//go:embed files/restrict-oom-score.sh
	oomScoreScript string
)

// layoutVersion must change with the code that assembles the parts. Digests cover all other inputs.
const layoutVersion = "1"

// kindModule provides the entrypoint and the services of a node.
const kindModule = "sigs.k8s.io/kind"

type recipe struct {
	source string // root of the checkout
	arch   string // a GOARCH value
	// versions maps each component's key, and "kind", to the pinned version.
	versions map[string]string
	// digests maps component keys, rootfsKey, imagesKey and nodeKey to digests of stage inputs.
	digests map[string]string
}

// Keys of the stages that are not components.
const (
	rootfsKey = "rootfs"
	imagesKey = "images"
	nodeKey   = "node"
)

// ErrNoSource means that there is no checkout to compile from.
var ErrNoSource = errors.New("not a checkout of ingresslab, which is required to compile the programs of a cluster")

// readRecipe only reads files, to be fast: every command calls it to check for an up-to-date image.
func readRecipe(source, arch string) (recipe, error) {
	r := recipe{source: source, arch: arch, versions: map[string]string{}, digests: map[string]string{}}
	root, err := readModule(filepath.Join(source, "go.mod"))
	if errors.Is(err, os.ErrNotExist) {
		return recipe{}, fmt.Errorf("%q: %w", source, ErrNoSource)
	}
	if err != nil {
		return recipe{}, err
	}
	if r.versions["kind"], err = versionOf(root, kindModule); err != nil {
		return recipe{}, err
	}
	r.digests[rootfsKey] = digestOf(arch, rootfsDescription(), nettoolsScript)
	for _, c := range components() {
		if err := r.readComponent(c, root); err != nil {
			return recipe{}, err
		}
	}
	r.digests[imagesKey] = digestOf(r.combined("images"), layoutVersion, systemImagesDescription())
	r.digests[nodeKey] = digestOf(r.digests[imagesKey], r.combined("node"), nodeDescription())
	return r, nil
}

// combined returns a digest of the parts that all later stages use.
func (r recipe) combined(purpose string) string {
	parts := []string{purpose, r.versions["kind"], r.digests[rootfsKey]}
	for _, c := range components() {
		parts = append(parts, r.digests[c.key])
	}
	return digestOf(parts...)
}

// kubernetesVersion returns the version that nodes report: v1.36.3.
func (r recipe) kubernetesVersion() string { return r.versions[kubernetesKey] }

// repository is the repository of built images in Docker.
const repository = "ingresslab/node"

// ref returns the reference of the image.
func (r recipe) ref() string {
	return fmt.Sprintf("%s:%s-%s", repository, r.kubernetesVersion(), r.digests[nodeKey][:digestLength])
}

func (r recipe) readComponent(c component, root *modfile.File) error {
	parts := []string{r.arch, c.describe()}
	if c.of == "" {
		own, err := ownSources(r.source, c.packages, root)
		if err != nil {
			return err
		}
		r.digests[c.key] = digestOf(append(parts, own...)...)
		return nil
	}
	dir := filepath.Join(r.source, filepath.FromSlash(c.dir()))
	file, err := readModule(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	if r.versions[c.key], err = versionOf(file, c.of); err != nil {
		return err
	}
	sources, err := readSources(dir, "go.mod", "go.sum", "*.go")
	if err != nil {
		return err
	}
	r.digests[c.key] = digestOf(append(parts, sources...)...)
	return nil
}

// ownSources returns the sources of this project's programs and of packages they import, and the
// versions of imported modules: most changes of go.mod do not affect a node.
func ownSources(source string, packages []string, root *modfile.File) ([]string, error) {
	linux := gobuild.Default
	linux.GOOS = "linux"
	var parts []string
	seen := map[string]bool{}
	modules := map[string]bool{}
	for queue := slices.Clone(packages); len(queue) > 0; queue = queue[1:] {
		dir := filepath.Join(source, filepath.FromSlash(strings.TrimPrefix(queue[0], root.Module.Mod.Path)))
		if seen[dir] {
			continue
		}
		seen[dir] = true
		sources, err := readSources(dir, "*.go")
		if err != nil {
			return nil, err
		}
		parts = append(parts, sources...)
		pkg, err := linux.ImportDir(dir, 0)
		if err != nil {
			return nil, fmt.Errorf("read recipe: %w", err)
		}
		for _, imported := range pkg.Imports {
			if strings.HasPrefix(imported, root.Module.Mod.Path+"/") {
				queue = append(queue, imported)
			} else if m := moduleOf(root, imported); m != "" {
				modules[m] = true
			}
		}
	}
	parts = slices.AppendSeq(parts, maps.Keys(modules))
	slices.Sort(parts)
	return parts, nil
}

// readSources returns names and contents of the files in dir that match a pattern, without tests.
func readSources(dir string, patterns ...string) ([]string, error) {
	var parts []string
	for _, pattern := range patterns {
		matches, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, match := range matches {
			if strings.HasSuffix(match, "_test.go") {
				continue
			}
			content, err := os.ReadFile(match)
			if err != nil {
				return nil, fmt.Errorf("read recipe: %w", err)
			}
			parts = append(parts, filepath.Base(match)+"\n"+string(content))
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("read recipe: no sources in %s: %w", dir, ErrNoSource)
	}
	return parts, nil
}

// moduleOf returns MODULE@VERSION of an import, or "" for the standard library.
func moduleOf(root *modfile.File, imported string) string {
	var longest module.Version
	for _, required := range root.Require {
		path := required.Mod.Path
		if (imported == path || strings.HasPrefix(imported, path+"/")) && len(path) > len(longest.Path) {
			longest = required.Mod
		}
	}
	return longest.String()
}

func readModule(path string) (*modfile.File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	return file, nil
}

func versionOf(file *modfile.File, path string) (string, error) {
	for _, required := range file.Require {
		if required.Mod.Path == path {
			return required.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("read recipe: %s does not require %s", file.Syntax.Name, path)
}

// digestOf returns the SHA-256 of the parts and their lengths.
func digestOf(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part) // hash.Hash never returns an error
	}
	return hex.EncodeToString(sum.Sum(nil))
}
