package routing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const networking = "k8s.io/api/networking/v1"

// matched are the fields of Ingresses that only package routing compares with requests.
var matched = []string{"IngressRule.Host", "IngressTLS.Hosts", "HTTPIngressPath.Path", "HTTPIngressPath.PathType"}

// expectations compare a host with what a task expects. They decide nothing about requests.
var expectations = []string{"isOthersHost", "isFor", "firstLabel"}

// matchers are the functions that a router matches with, by package. Empty: all functions of the
// package.
var matchers = map[string][]string{
	"strings": {"Compare", "Contains", "ContainsAny", "Cut", "CutPrefix", "CutSuffix", "EqualFold", "HasPrefix", "HasSuffix", "Index",
		"IndexByte", "Split", "TrimPrefix", "TrimSuffix"},
	"slices": {"Contains", "Index"}, "cmp": {"Compare"}, "regexp": nil, "path": nil, "path/filepath": nil,
}

// TestOnlyRoutingMatchesHostsAndPaths fails if code outside this package compares hosts or paths of
// Ingresses with anything but constants. Such code would be a second router
// (docs/decisions/0021-keep-one-router.md).
func TestOnlyRoutingMatchesHostsAndPaths(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=Dir,ImportPath,Export,GoFiles,Imports,Module", "./...")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	type listed struct {
		Dir, ImportPath, Export string
		GoFiles, Imports        []string
		Module                  *struct{ Main bool }
	}
	exports, users := map[string]string{}, []listed{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		exempt := strings.HasSuffix(p.ImportPath, "/controller/routing") || strings.Contains(p.ImportPath, "/internal/testing/")
		if p.Module != nil && p.Module.Main && slices.Contains(p.Imports, networking) && !exempt {
			users = append(users, p)
		}
	}
	if len(users) < 5 {
		t.Fatalf("only %d packages import %s", len(users), networking)
	}
	for _, p := range users {
		sources := map[string]string{}
		for _, name := range p.GoFiles {
			content, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			sources[filepath.Join(p.Dir, name)] = string(content)
		}
		for _, found := range matches(t, exports, p.ImportPath, sources) {
			t.Errorf("%s: only controller/routing matches hosts and paths", found)
		}
	}
	second := `package second
import ("strings"; networkingv1 "k8s.io/api/networking/v1")
func rank(rule, host string) bool { return rule == "" || strings.EqualFold(rule, host) }
func serves(i networkingv1.Ingress, host, path string) bool {
	for _, r := range i.Spec.Rules {
		own := r.HTTP.Paths[0].Path
		if rank(r.Host, host) && strings.HasPrefix(path, own) { return true }
	}
	return false
}`
	if found := matches(t, exports, "second", map[string]string{"second.go": second}); len(found) != 2 {
		t.Errorf("found the second router at %v, want 2 places", found)
	}
}

// router finds where a package matches.
type router struct {
	fset *token.FileSet
	info *types.Info
	// tainted are variables and parameters that hold a host or path of an Ingress.
	tainted map[types.Object]bool
	found   []string
}

func matches(t *testing.T, exports map[string]string, path string, sources map[string]string) []string {
	t.Helper()
	r := router{fset: token.NewFileSet(), tainted: map[types.Object]bool{}, info: &types.Info{
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}, Types: map[ast.Expr]types.TypeAndValue{},
	}}
	var files []*ast.File
	for name, source := range sources {
		file, err := parser.ParseFile(r.fset, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	config := types.Config{Importer: importer.ForCompiler(r.fset, "gc", lookup)}
	if _, err := config.Check(path, r.fset, files, r.info); err != nil {
		t.Fatal(err)
	}
	for before := -1; before != len(r.tainted); { // until no variable is added
		before, r.found = len(r.tainted), nil
		for _, file := range files {
			for _, decl := range file.Decls {
				if f, is := decl.(*ast.FuncDecl); !is || !slices.Contains(expectations, f.Name.Name) {
					ast.Inspect(decl, r.visit)
				}
			}
		}
	}
	slices.Sort(r.found)
	return slices.Compact(r.found)
}

func (r *router) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			r.taint(left, n.Rhs[min(i, len(n.Rhs)-1)])
		}
	case *ast.RangeStmt:
		r.taint(n.Value, n.X)
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			r.compare(n.X, n.Y)
		}
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, value := range clause.(*ast.CaseClause).List {
				if n.Tag != nil {
					r.compare(n.Tag, value)
				}
			}
		}
	case *ast.IndexExpr:
		if _, isMap := r.info.Types[n.X].Type.Underlying().(*types.Map); isMap && r.holds(n.Index) {
			r.report(n)
		}
	case *ast.CallExpr:
		r.call(n)
	}
	return true
}

func (r *router) compare(a, b ast.Expr) {
	constant := r.info.Types[a].Value != nil || r.info.Types[b].Value != nil || r.info.Types[a].IsNil() || r.info.Types[b].IsNil()
	if !constant && (r.holds(a) || r.holds(b)) {
		r.report(a)
	}
}

// call reports matchers, and taints the parameters of the package's own functions.
func (r *router) call(n *ast.CallExpr) {
	name, is := n.Fun.(*ast.Ident)
	if selector, isSelector := n.Fun.(*ast.SelectorExpr); isSelector {
		name, is = selector.Sel, true
	}
	if !is {
		return
	}
	f, is := r.info.Uses[name].(*types.Func)
	if !is || f.Pkg() == nil {
		return
	}
	names, matcher := matchers[f.Pkg().Path()]
	for i, arg := range n.Args {
		switch params := f.Signature().Params(); {
		case !r.holds(arg):
		case matcher && (names == nil || slices.Contains(names, f.Name())):
			r.report(n)
		case i < params.Len():
			r.tainted[params.At(i)] = true
		}
	}
}

func (r *router) taint(left, right ast.Expr) {
	if name, is := left.(*ast.Ident); is && r.holds(right) {
		if object := r.info.ObjectOf(name); object != nil {
			r.tainted[object] = true
		}
	}
}

// holds reports whether an expression is a host or path of an Ingress.
func (r *router) holds(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return r.tainted[r.info.ObjectOf(e)]
	case *ast.SelectorExpr:
		s := r.info.Selections[e]
		if s == nil || s.Obj().Pkg() == nil || s.Obj().Pkg().Path() != networking {
			return false
		}
		receiver := s.Recv()
		if p, is := receiver.(*types.Pointer); is {
			receiver = p.Elem()
		}
		named, is := receiver.(*types.Named)
		return is && slices.Contains(matched, named.Obj().Name()+"."+s.Obj().Name())
	case *ast.StarExpr:
		return r.holds(e.X)
	case *ast.ParenExpr:
		return r.holds(e.X)
	case *ast.BinaryExpr:
		return e.Op == token.ADD && (r.holds(e.X) || r.holds(e.Y))
	case *ast.CallExpr: // a conversion, or a function that returns a host in another form
		return len(e.Args) > 0 && r.holds(e.Args[0]) && types.Identical(r.info.TypeOf(e).Underlying(), types.Typ[types.String])
	}
	return false
}

func (r *router) report(n ast.Node) {
	r.found = append(r.found, fmt.Sprint(r.fset.Position(n.Pos())))
}
