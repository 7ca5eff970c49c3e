package nodeimage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// With the same versions, the CLI, the controller, Kubernetes and etcd share packages in Go's build
// cache, and the first lab starts minutes earlier
// (docs/decisions/0008-compile-shared-packages-once.md).
func TestSharedModulesHaveSameVersion(t *testing.T) {
	exempt := map[string]bool{
		// The project does not compile packages of these modules.
		"google.golang.org/grpc": true, "google.golang.org/genproto/googleapis/rpc": true,
		// etcd uses its own release, and Kubernetes the release that it was tested with.
		"go.etcd.io/etcd/api/v3": true, "go.etcd.io/etcd/client/pkg/v3": true, "go.etcd.io/etcd/client/v3": true,
	}
	root := filepath.Join("..", "..")
	files := []string{
		filepath.Join(root, "go.mod"),
		filepath.Join(root, modulesDir, "kubernetes", "go.mod"),
		filepath.Join(root, modulesDir, "etcd", "go.mod"),
	}
	versions := map[string]string{}
	owners := map[string]string{}
	for _, file := range files {
		module, err := readModule(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, required := range module.Require {
			path, version := required.Mod.Path, replaced(module, required)
			switch {
			case exempt[path]:
			case versions[path] == "":
				versions[path], owners[path] = version, file
			case versions[path] != version:
				t.Errorf("%s requires %s %s, but %s %s; run `go get` for the newer version in the other directory",
					owners[path], path, versions[path], file, version)
			}
		}
	}
}

// replaced returns the compiled version, after replace directives.
func replaced(module *modfile.File, required *modfile.Require) string {
	for _, replace := range module.Replace {
		if replace.Old.Path == required.Mod.Path {
			return replace.New.Version
		}
	}
	return required.Mod.Version
}

// Packages are also shared only with the same flags.
func TestProgramsHaveSameCompilerFlags(t *testing.T) {
	for _, file := range []string{"Makefile", "internal/image/checkout.go"} {
		content, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range []string{"-trimpath", "-gcflags=" + sharedFlags} {
			if !strings.Contains(string(content), flag) {
				t.Errorf("%s does not contain %s", file, flag)
			}
		}
	}
	for _, c := range components() {
		arguments := c.buildArguments("out", "v1.2.3", "")
		if !slices.Contains(arguments, "-trimpath") || !slices.Contains(arguments, "-gcflags="+sharedFlags) {
			t.Errorf("%s is built with %q", c.name, arguments)
		}
	}
}
