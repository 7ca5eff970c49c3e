package nodeimage

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func mustRead(t *testing.T, source string) recipe {
	t.Helper()
	r, err := readRecipe(source, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		t.Fatalf("%s does not contain %q", path, old)
	}
	writeFile(t, path, strings.Replace(string(content), old, new, 1))
}

// recipeChanges lists changes of one input, and the stages that must run again.
var recipeChanges = map[string]struct {
	change func(t *testing.T, root string)
	keys   []string
}{
	"nothing": {change: func(*testing.T, string) {}},
	"checksum of etcd": {
		change: func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, modulesDir, "etcd", "go.sum"), "another\n")
		},
		keys: []string{imagesKey, nodeKey, "etcd"},
	},
	"source of CoreDNS": {
		change: func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, modulesDir, "coredns", "coredns.go"), "package main\n")
		},
		keys: []string{imagesKey, nodeKey, "coredns"},
	},
	"package that podnet imports": {
		change: func(t *testing.T, root string) {
			edit(t, filepath.Join(root, "internal/nodeimage/podnet/route.go"), "package podnet", "package podnet // changed")
		},
		keys: []string{imagesKey, nodeKey, "own"},
	},
	"test of podnet": {
		change: func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, "internal/nodeimage/podnet/route_test.go"), "package podnet\n")
		},
	},
	"version of a module that podnet imports": {
		change: func(t *testing.T, root string) {
			edit(t, filepath.Join(root, "go.mod"), "netlink v1.3.1", "netlink v1.3.2")
		},
		keys: []string{imagesKey, nodeKey, "own"},
	},
	"version of a module that only the CLI imports": {
		change: func(t *testing.T, root string) {
			edit(t, filepath.Join(root, "go.mod"), "cobra v1.10.2", "cobra v1.10.3")
		},
	},
	"version of kind": {
		change: func(t *testing.T, root string) {
			edit(t, filepath.Join(root, "go.mod"), "kind v0.33.0", "kind v0.34.0")
		},
		keys: []string{imagesKey, nodeKey},
	},
}

func TestRecipeDigestsCoverInputs(t *testing.T) {
	for name, test := range recipeChanges {
		t.Run(name, func(t *testing.T) {
			root := checkout(t)
			before := mustRead(t, root)
			test.change(t, root)
			after := mustRead(t, root)
			changed := map[string]bool{}
			for key, digest := range after.digests {
				changed[key] = digest != before.digests[key]
			}
			for _, key := range test.keys {
				if !changed[key] {
					t.Errorf("the digest of stage %s is unchanged", key)
				}
				delete(changed, key)
			}
			for key, is := range changed {
				if is {
					t.Errorf("the digest of stage %s changed without reason", key)
				}
			}
			if (before.ref() != after.ref()) != (len(test.keys) > 0) {
				t.Errorf("ref was %s and is %s", before.ref(), after.ref())
			}
		})
	}
}

func TestRecipeDependsOnArchitecture(t *testing.T) {
	root := checkout(t)
	other, err := readRecipe(root, "arm64")
	if err != nil {
		t.Fatal(err)
	}
	if amd64 := mustRead(t, root); amd64.ref() == other.ref() || amd64.digests[rootfsKey] == other.digests[rootfsKey] {
		t.Errorf("%s is the reference for two architectures", other.ref())
	}
}

func TestRecipeOfThisCheckout(t *testing.T) {
	r := mustRead(t, filepath.Join("..", ".."))
	if !regexp.MustCompile(`^ingresslab/node:v1\.\d+\.\d+-[0-9a-f]{12}$`).MatchString(r.ref()) {
		t.Errorf("ref = %s", r.ref())
	}
	for _, c := range components() {
		if c.of != "" && !strings.HasPrefix(r.versions[c.key], "v") {
			t.Errorf("%s has version %q", c.key, r.versions[c.key])
		}
	}
}

func TestRecipeProblems(t *testing.T) {
	if _, err := readRecipe(t.TempDir(), "amd64"); !errors.Is(err, ErrNoSource) {
		t.Errorf("empty directory: error is %v", err)
	}
	root := checkout(t)
	writeFile(t, filepath.Join(root, modulesDir, "etcd", "go.mod"), "module example.test/etcd\n")
	_, err := readRecipe(root, "amd64")
	if err == nil || !strings.Contains(err.Error(), "etcd") || !strings.Contains(err.Error(), "go.etcd.io/etcd/server/v3") {
		t.Errorf("go.mod without its component: error is %v", err)
	}
}

// `kubectl get nodes` shows these values.
func TestLinkerFlags(t *testing.T) {
	kubernetes := components()[0]
	flags := kubernetes.linkerFlags("v1.36.3", "2026-07-22T18:07:38Z")
	for _, want := range []string{
		"-X k8s.io/component-base/version.gitVersion=v1.36.3",
		"-X k8s.io/component-base/version.gitMajor=1 ",
		"-X k8s.io/component-base/version.gitMinor=36 ",
		"-X k8s.io/client-go/pkg/version.gitVersion=v1.36.3",
		"buildDate=2026-07-22T18:07:38Z",
	} {
		if !strings.Contains(flags+" ", want) {
			t.Errorf("no %q in %s", want, flags)
		}
	}
	if strings.Contains(flags, "{") {
		t.Errorf("placeholder in %s", flags)
	}
}
