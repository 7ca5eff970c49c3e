package routing_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// fuzzTable has a service for each rule, of the rule's own name, so that a pool tells the rule.
func fuzzTable(t testing.TB) *routing.Table {
	t.Helper()
	var b strings.Builder
	rule := func(name, host, path, pathType string) {
		b.WriteString(strings.NewReplacer("NAME", name, "HOST", host, "PATH", path, "TYPE", pathType).Replace(`---
kind: Ingress
metadata: {namespace: shop, name: NAME}
spec:
  rules:
  - host: "HOST"
    http: {paths: [{path: "PATH", pathType: TYPE, backend: {service: {name: NAME, port: {number: 80}}}}]}
---
kind: Service
metadata: {namespace: shop, name: NAME}
spec: {ports: [{port: 80}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: NAME, labels: {kubernetes.io/service-name: NAME}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.1]}]
`))
	}
	rule("exact", "shop.test", "/", "Prefix")
	rule("wild", "*.shop.test", "/", "Prefix")
	rule("any", "", "/", "Prefix")
	rule("root", "path.test", "/", "Prefix")
	rule("admin", "path.test", "/admin", "Prefix")
	rule("deep", "path.test", "/admin/deep", "Prefix")
	rule("page", "path.test", "/page", "Exact")
	rule("two", "path.test", "/one/two", "Exact")
	table, problems := routing.Build(parseObjects(t, "fuzz", b.String()), routing.Options{WatchIngressWithoutClass: true})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return table
}

// serviceOf says which rule of fuzzTable gets a request; empty when it is refused.
func serviceOf(t testing.TB, table *routing.Table, host, path string) string {
	t.Helper()
	d := table.Decide(routing.Request{Host: host, Path: path})
	if d.Action == routing.Refuse {
		if d.Status != http.StatusBadRequest {
			t.Fatalf("%q %q gets %d %s, though there is a rule for everything", host, path, d.Status, d.Reason)
		}
		return ""
	}
	return d.Pool.Service.Name
}

// FuzzDecidePath holds the route against what back-ends would make of the same bytes. Whoever reads a path that was let
// through, in whatever of the usual ways, must come to the rule that it was let through by.
func FuzzDecidePath(f *testing.F) {
	for _, seed := range []string{"/", "/admin", "/admin/deep/x", "/page", "/page/", "/%61dmin", "/x/..%2fadmin", "/x;/../admin",
		"//admin", "/admin%2fdeep", `/x%5c..%5cadmin`, "/%252e%252e/admin", "/;/admin", "/a%2", "/admin;a%2fdeep", "/one%2ftwo;x%2fy", "/./%2e"} {
		f.Add(seed)
	}
	table := fuzzTable(f)
	f.Fuzz(func(t *testing.T, path string) {
		got := serviceOf(t, table, "path.test", path)
		if again := serviceOf(t, table, "path.test", path); again != got {
			t.Fatalf("%q is for %q, and then for %q", path, got, again)
		}
		if got == "" {
			return
		}
		if escaped := serviceOf(t, table, "path.test", escapeLetters(path)); escaped != got {
			t.Errorf("%q is for %q, and with escaped letters for %q", path, got, escaped)
		}
		for reader, read := range readers {
			if reading, want := read(path), wantService(read(path)); want != got {
				t.Errorf("%q is for %q; %s reads %q, which is for %q", path, got, reader, reading, want)
			}
		}
	})
}

// readers are servers, reduced to how they read a path. They are written without a look at the package's own code.
var readers = map[string]func(string) string{
	"one that decodes":                           unescape,
	"one that decodes and resolves":              func(p string) string { return resolve(unescape(p)) },
	"one that decodes, merges slashes, resolves": func(p string) string { return resolve(merge(unescape(p))) },
	"one that takes backslashes for slashes":     func(p string) string { return resolve(strings.ReplaceAll(unescape(p), `\`, "/")) },
	"a servlet container":                        func(p string) string { return resolve(unescape(cutParameters(p))) },
	"a servlet container that merges slashes":    func(p string) string { return resolve(merge(unescape(cutParameters(p)))) },
	"one that cuts parameters after it decodes":  func(p string) string { return resolve(cutParameters(unescape(p))) },
}

func unescape(p string) string {
	if s, err := url.PathUnescape(p); err == nil {
		return s
	}
	return p
}

func merge(p string) string {
	var b strings.Builder
	for i := range len(p) {
		if p[i] != '/' || i == 0 || p[i-1] != '/' {
			b.WriteByte(p[i])
		}
	}
	return b.String()
}

func cutParameters(p string) string {
	elements := strings.Split(p, "/")
	for i, e := range elements {
		elements[i], _, _ = strings.Cut(e, ";")
	}
	return strings.Join(elements, "/")
}

// resolve removes dot segments as RFC 3986 section 5.2.4 does.
func resolve(p string) string {
	var out []string
	elements := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, e := range elements {
		last := i == len(elements)-1
		if e != "." && e != ".." {
			out = append(out, e)
			continue
		}
		if e == ".." && len(out) > 0 {
			out = out[:len(out)-1]
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// wantService is the table's rules for path.test in plain words.
func wantService(p string) string {
	under := func(prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }
	switch {
	case p == "/page":
		return "page"
	case p == "/one/two":
		return "two"
	case under("/admin/deep"):
		return "deep"
	case under("/admin"):
		return "admin"
	}
	return "root"
}

// escapeLetters spells every letter that is not part of an escape as an escape.
func escapeLetters(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '%' && i+2 < len(p):
			b.WriteString(p[i : i+3])
			i += 2
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			b.WriteString("%" + string("0123456789abcdef"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// FuzzHost checks that only the names that a rule stands for come to it, and that spelling does not matter.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"shop.test", "SHOP.test.", "a.shop.test:80", ".shop.test", "a.b.shop.test", "[::1]:80", "shop.test@x",
		"shop.test:", "\u212Aelvin.shop.test", "x:y:z", "shop.test..", "*.shop.test"} {
		f.Add(seed)
	}
	table := fuzzTable(f)
	f.Fuzz(func(t *testing.T, host string) {
		got := serviceOf(t, table, host, "/")
		if upper := serviceOf(t, table, upperASCII(host), "/"); upper != got {
			t.Errorf("%q is for %q, and in upper case for %q", host, got, upper)
		}
		name, _, hasPort := strings.Cut(host, ":")
		if got != "" && !hasPort && serviceOf(t, table, host+":8080", "/") != got {
			t.Errorf("%q is for another rule with a port", host)
		}
		name = strings.TrimSuffix(lower(name), ".")
		label, isSub := strings.CutSuffix(name, ".shop.test")
		switch got {
		case "exact":
			if name != "shop.test" {
				t.Errorf("%q came to shop.test", host)
			}
		case "wild":
			if !isSub || label == "" || strings.Contains(label, ".") {
				t.Errorf("%q came to *.shop.test", host)
			}
		case "any":
			if name == "shop.test" || isSub && label != "" && !strings.Contains(label, ".") {
				t.Errorf("%q came to the rules without a host", host)
			}
		}
	})
}

func upperASCII(s string) string {
	return mapASCII(s, 'a', 'z', -('a' - 'A'))
}

func lower(s string) string {
	return mapASCII(s, 'A', 'Z', 'a'-'A')
}

func mapASCII(s string, from, to byte, by int) string {
	b := []byte(s)
	for i, c := range b {
		if from <= c && c <= to {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}
