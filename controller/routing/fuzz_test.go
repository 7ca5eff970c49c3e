package routing_test

import (
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// fuzzTable has a Service with its own name for each rule, so a pool identifies the rule.
func fuzzTable(t testing.TB) *routing.Table {
	t.Helper()
	var b strings.Builder
	annotated := func(name, host, path, pathType, annotations string) {
		b.WriteString(strings.NewReplacer("NAME", name, "HOST", host, "PATH", path, "TYPE", pathType, "ANNOTATIONS", annotations).Replace(`---
kind: Ingress
metadata: {namespace: shop, name: NAME, annotations: {ANNOTATIONS}}
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
	rule := func(name, host, path, pathType string) { annotated(name, host, path, pathType, "") }
	const prefix = "nginx.ingress.kubernetes.io/"
	rule("exact", "shop.test", "/", "Prefix")
	rule("wild", "*.shop.test", "/", "Prefix")
	rule("any", "", "/", "Prefix")
	rule("root", "path.test", "/", "Prefix")
	rule("admin", "path.test", "/admin", "Prefix")
	rule("deep", "path.test", "/admin/deep", "Prefix")
	rule("page", "path.test", "/page", "Exact")
	rule("two", "path.test", "/one/two", "Exact")
	rule("rest", "regex.test", "/", "Prefix")
	annotated("one", "regex.test", "/one/[^/]+$", "ImplementationSpecific", prefix+"use-regex: 'true'")
	annotated("dot", "regex.test", "/v./x", "Prefix", prefix+"use-regex: 'true'")
	rule("other", "rewrite.test", "/", "Prefix")
	annotated("app", "rewrite.test", "/app(.*)", "ImplementationSpecific", prefix+"rewrite-target: /$1")
	annotated("query", "rewrite.test", "/query/([^/]*)(.*)", "ImplementationSpecific", prefix+"rewrite-target: '/find$2?q=$1&key=secret'")
	table, problems := routing.Build(parseObjects(t, "fuzz", b.String()), routing.Options{WatchIngressWithoutClass: true}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return table
}

// serviceOf returns the Service of fuzzTable that gets a request; empty: the request is refused.
func serviceOf(t testing.TB, table *routing.Table, host, path string) string {
	t.Helper()
	d := table.Decide(routing.Request{Host: host, Path: path})
	if d.Action == routing.Refuse {
		if d.Status != http.StatusBadRequest {
			t.Fatalf("%q %q gets %d %s, but the table has a rule for every request", host, path, d.Status, d.Reason)
		}
		return ""
	}
	return d.Pool.Service.Name
}

// FuzzDecidePath checks that no backend reads a forwarded path as a path of another rule.
func FuzzDecidePath(f *testing.F) {
	for _, seed := range []string{"/", "/admin", "/admin/deep/x", "/page", "/page/", "/%61dmin", "/x/..%2fadmin", "/x;/../admin",
		"//admin", "/admin%2fdeep", `/x%5c..%5cadmin`, "/%252e%252e/admin", "/;/admin", "/a%2", "/admin;a%2fdeep", "/one%2ftwo;x%2fy", "/./%2e"} {
		f.Add(seed)
	}
	table := fuzzTable(f)
	f.Fuzz(func(t *testing.T, path string) {
		got := serviceOf(t, table, "path.test", path)
		if again := serviceOf(t, table, "path.test", path); again != got {
			t.Fatalf("%q goes to %q, and then to %q", path, got, again)
		}
		if got == "" {
			return
		}
		if escaped := serviceOf(t, table, "path.test", escapeLetters(path)); escaped != got {
			t.Errorf("%q goes to %q, and with escaped letters to %q", path, got, escaped)
		}
		for reader, read := range readers {
			if reading, want := read(path), wantService(read(path)); want != got {
				t.Errorf("%q goes to %q; %s reads %q, which goes to %q", path, got, reader, reading, want)
			}
		}
	})
}

// readers are how servers read a path. They share no code with the package.
var readers = map[string]func(string) string{
	"a server that decodes":                               unescape,
	"a server that decodes and resolves":                  func(p string) string { return resolve(unescape(p)) },
	"a server that decodes, merges slashes, and resolves": func(p string) string { return resolve(merge(unescape(p))) },
	"a server that reads backslashes as slashes":          func(p string) string { return resolve(strings.ReplaceAll(unescape(p), `\`, "/")) },
	"a servlet container":                                 func(p string) string { return resolve(unescape(cutParameters(p))) },
	"a servlet container that merges slashes":             func(p string) string { return resolve(merge(unescape(cutParameters(p)))) },
	"a server that cuts parameters after it decodes":      func(p string) string { return resolve(cutParameters(unescape(p))) },
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

// wantService implements the rules for path.test without the table.
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

// escapeLetters escapes every letter that is not part of an escape.
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

// FuzzDecideRegex does the same for regular expressions.
func FuzzDecideRegex(f *testing.F) {
	for _, seed := range []string{"/one/a", "/ONE/a", "/one/a%2fb", "/one/a;b", "/one//a", "/v1/x", "/v%25/x", "/v%2f/x", "/v;/x", "/v%0a/x",
		"/v%ff/x", "/one/a%0a"} {
		f.Add(seed)
	}
	table := fuzzTable(f)
	one, dot := regexp.MustCompile(`^(?is)/one/[^/]+$`), regexp.MustCompile(`^(?is)/v./x`)
	want := func(path string) string {
		switch {
		case one.MatchString(path):
			return "one"
		case dot.MatchString(path):
			return "dot"
		}
		return "rest"
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := serviceOf(t, table, "regex.test", path)
		if got == "" {
			return
		}
		for reader, read := range readers {
			if reading := read(path); want(reading) != got {
				t.Errorf("%q goes to %q; %s reads %q, which goes to %q", path, got, reader, reading, want(reading))
			}
		}
	})
}

// FuzzRewrite checks that every rewritten path would be accepted from a client, and that a client
// cannot add parameters to the query of the target.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{"/app/x", "/app", "/app../x", "/app..%2fx", "/app..;/x", "/app%3fx", "/app%23", "/app%0d%0a", "/app//x",
		"/app%5c..%5cx",
		"/app%25", "/app%252e", "/query/a%26key=b/..", "/query/a%3d%26/x", "/query/%2525/%3f", "/app%c3%a9 ", "/app;/..", "/query//x"} {
		f.Add(seed)
	}
	table := fuzzTable(f)
	f.Fuzz(func(t *testing.T, path string) {
		d := table.Decide(routing.Request{Host: "rewrite.test", Path: path, Query: "x=1"})
		if d.Action == routing.Refuse || d.Path == "" {
			return
		}
		out, query, hasQuery := strings.Cut(d.Path, "?")
		if hasQuery != (d.Pool.Service.Name == "query") {
			t.Fatalf("%q becomes %q", path, d.Path)
		}
		for i := range len(d.Path) {
			if c := d.Path[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
				t.Fatalf("%q becomes %q, which contains the byte %q", path, d.Path, c)
			}
		}
		if !strings.HasPrefix(out, "/") || strings.HasPrefix(out, "//") {
			t.Fatalf("%q becomes %q", path, d.Path)
		}
		if serviceOf(t, table, "path.test", out) == "" && !ambiguous(t, table, out) {
			t.Fatalf("%q becomes %q, which would be refused from a client", path, out)
		}
		for reader, read := range readers {
			if reading := read(out); reader != "a server that decodes" && resolve(reading) != reading {
				t.Errorf("%q becomes %q; %s reads %q, which has a dot segment", path, out, reader, reading)
			}
		}
		values, err := url.ParseQuery(query)
		if hasQuery && (err != nil || len(values["key"]) != 1 || values.Get("key") != "secret" || values.Get("x") != "1" || len(values) > 3) {
			t.Errorf("%q becomes %q, whose query has %v (%v)", path, d.Path, values, err)
		}
	})
}

// ambiguous reports whether a path is refused only because its readings match different rules of
// path.test.
func ambiguous(t testing.TB, table *routing.Table, path string) bool {
	return serviceOf(t, table, "shop.test", path) != ""
}

// FuzzExplain checks that Explain and Decide return the same Decision.
func FuzzExplain(f *testing.F) {
	f.Add("GET", "shop.test", "/", "", "", 0.5, false)
	f.Add("OPTIONS", "a.test", "/x?y", "always", "canary=never", 0.1, true)
	f.Add("GET", "www.shop.test:80", "/app/%2e", "https://shop.test", "INGRESSCOOKIE=x", 0.99, false)
	var tables []*routing.Table
	for _, g := range goldens(f) {
		table, _ := routing.Build(g.snapshot, g.options, nil)
		tables = append(tables, table)
	}
	f.Fuzz(func(t *testing.T, method, host, path, header, cookie string, random float64, tls bool) {
		for _, table := range tables {
			r := routing.Request{Method: method, Host: host, Path: path, TLS: tls, Random: random,
				Header: http.Header{"X-Canary": {header}, "Origin": {header}, "Cookie": {cookie}}}
			want := table.Decide(r)
			got, candidates := table.Explain(r)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("Explain returns %+v, Decide returns %+v", got, want)
			}
			checkCandidates(t, method+" "+host+path, want, candidates)
			if strings.ContainsAny(want.Location, "\r\n\x00") {
				t.Fatalf("Location is %q", want.Location)
			}
		}
	})
}

// FuzzHost checks that a rule gets only requests for its hosts, in any spelling.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"shop.test", "SHOP.test.", "a.shop.test:80", ".shop.test", "a.b.shop.test", "[::1]:80", "shop.test@x",
		"shop.test:", "\u212Aelvin.shop.test", "x:y:z", "shop.test..", "*.shop.test"} {
		f.Add(seed)
	}
	table := fuzzTable(f)
	f.Fuzz(func(t *testing.T, host string) {
		got := serviceOf(t, table, host, "/")
		if upper := serviceOf(t, table, upperASCII(host), "/"); upper != got {
			t.Errorf("%q goes to %q, and in upper case to %q", host, got, upper)
		}
		name, _, hasPort := strings.Cut(host, ":")
		if got != "" && !hasPort && serviceOf(t, table, host+":8080", "/") != got {
			t.Errorf("%q goes to another rule with a port", host)
		}
		name = strings.TrimSuffix(lower(name), ".")
		label, isSub := strings.CutSuffix(name, ".shop.test")
		switch got {
		case "exact":
			if name != "shop.test" {
				t.Errorf("%q went to shop.test", host)
			}
		case "wild":
			if !isSub || label == "" || strings.Contains(label, ".") {
				t.Errorf("%q went to *.shop.test", host)
			}
		case "any":
			if name == "shop.test" || isSub && label != "" && !strings.Contains(label, ".") {
				t.Errorf("%q went to the rules without a host", host)
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
