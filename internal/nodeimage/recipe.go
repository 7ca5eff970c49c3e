package nodeimage

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// Files that go into the image, or shape it.
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

// layoutVersion stands for the code that puts the parts together. Raise it when that code
// changes what it makes out of the same parts; everything else is covered by digests.
const layoutVersion = "1"

// kindModule provides the entrypoint and the services of a node.
const kindModule = "sigs.k8s.io/kind"

// recipe is all that determines a built image.
type recipe struct {
	source string // the checkout's root
	arch   string // as GOARCH has it
	// versions holds, for each component's key and for "kind", the version that is pinned.
	versions map[string]string
	// digests holds, for each component's key and for rootfsKey, imagesKey and nodeKey, the
	// digest of what goes into that stage.
	digests map[string]string
}

// Keys of the stages that are not components.
const (
	rootfsKey = "rootfs"
	imagesKey = "images"
	nodeKey   = "node"
)

// ErrNoSource is what a binary without its checkout runs into when something has to be compiled.
var ErrNoSource = errors.New("the programs of a cluster are compiled from a checkout of ingresslab, and this is none")

// readRecipe reads the recipe of the checkout at source. It starts no process and uses no
// network: it is what decides whether an image is up to date.
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

// combined covers the parts that every later stage takes something from.
func (r recipe) combined(purpose string) string {
	parts := []string{purpose, r.versions["kind"], r.digests[rootfsKey]}
	for _, c := range components() {
		parts = append(parts, r.digests[c.key])
	}
	return digestOf(parts...)
}

// kubernetesVersion is the version that nodes of the image report, as v1.36.3.
func (r recipe) kubernetesVersion() string { return r.versions[kubernetesKey] }

// repository is where the built images are in Docker.
const repository = "ingresslab/node"

// ref is the name and tag of the image.
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
	module, err := readModule(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	if r.versions[c.key], err = versionOf(module, c.of); err != nil {
		return err
	}
	sources, err := readSources(dir, "go.mod", "go.sum", "*.go")
	if err != nil {
		return err
	}
	r.digests[c.key] = digestOf(append(parts, sources...)...)
	return nil
}

// ownSources covers our own programs: their sources, those of the packages of ours they
// import, and the versions of the modules that any of them names. The project's go.mod as
// a whole is left out, because most of what changes there has nothing to do with a node.
func ownSources(source string, packages []string, root *modfile.File) ([]string, error) {
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
		imports, err := importsOf(dir)
		if err != nil {
			return nil, err
		}
		for _, imported := range imports {
			if strings.HasPrefix(imported, root.Module.Mod.Path+"/") {
				queue = append(queue, imported)
			} else if module := moduleOf(root, imported); module != "" {
				modules[module] = true
			}
		}
	}
	for module := range modules {
		parts = append(parts, module)
	}
	slices.Sort(parts)
	return parts, nil
}

// readSources returns the contents of dir's files that match a pattern, each with its
// name. Tests are left out: they are not in the image.
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

func importsOf(dir string) ([]string, error) {
	matches, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, match := range matches {
		if strings.HasSuffix(match, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), match, nil, parser.ImportsOnly)
		if err != nil {
			return nil, fmt.Errorf("read recipe: %w", err)
		}
		for _, spec := range file.Imports {
			if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
				imports = append(imports, imported)
			}
		}
	}
	return imports, nil
}

// moduleOf returns module and version of an import, or nothing for the standard library.
func moduleOf(root *modfile.File, imported string) string {
	best := ""
	version := ""
	for _, required := range root.Require {
		path := required.Mod.Path
		if (imported == path || strings.HasPrefix(imported, path+"/")) && len(path) > len(best) {
			best, version = path, required.Mod.Version
		}
	}
	if best == "" {
		return ""
	}
	return best + "@" + version
}

func readModule(path string) (*modfile.File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	module, err := modfile.Parse(path, content, nil)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	return module, nil
}

func versionOf(module *modfile.File, path string) (string, error) {
	for _, required := range module.Require {
		if required.Mod.Path == path {
			return required.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("read recipe: %s: no requirement on %s", module.Syntax.Name, path)
}

// digestOf covers the parts and where each ends.
func digestOf(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part) // A hash never fails: hash.Hash.
	}
	return hex.EncodeToString(sum.Sum(nil))
}
