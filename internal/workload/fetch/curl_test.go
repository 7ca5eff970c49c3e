package fetch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload/fetch"
)

// site returns a server whose responses a client must distinguish.
func site(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	describe := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s host=%s body=%q", r.Method, r.RequestURI, r.Host, body)
	}
	mux.HandleFunc("/", describe)
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-One", "User-Agent", "Accept", "Content-Type", "Authorization"} {
			_, _ = fmt.Fprintf(w, "%s=%q\n", name, r.Header[name])
		}
	})
	mux.HandleFunc("/missing", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-App", "backend-1")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, "nothing here")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/target?x=1", http.StatusFound)
	})
	mux.HandleFunc("/kept", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/target", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop", http.StatusFound)
	})
	mux.HandleFunc("/hangup", func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http closes the connection
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = fmt.Fprint(w, "half")
	})
	mux.HandleFunc("/stuck", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "//") { // the mux would redirect to a cleaned path
			describe(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

type result struct {
	code     int
	out, err string
}

func run(t *testing.T, command func(context.Context, []string, fetch.Streams) int, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := command(t.Context(), args, fetch.Streams{Out: &out, Err: &errOut})
	return result{code, out.String(), errOut.String()}
}

func TestCurlSendsRequests(t *testing.T) {
	s := site(t)
	host := strings.TrimPrefix(s.URL, "http://")
	tests := map[string]struct{ args, want string }{
		"URL without a scheme":               {host + "/a", `GET /a host=` + host + ` body=""`},
		"path as typed":                      {"URL/a%2Fb//c?x=%20&y", `GET /a%2Fb//c?x=%20&y`},
		"POST with data":                     {"-d a=1 -d b=2 URL/", `POST / host=` + host + ` body="a=1&b=2"`},
		"method":                             {"-X DELETE URL/", "DELETE /"},
		"method with data":                   {"-X PUT -d a=1 URL/", `PUT / host=` + host + ` body="a=1"`},
		"host header":                        {"-H Host:cheddar.test URL/", "host=cheddar.test"},
		"header instead of the default":      {"-H user-agent:me URL/headers", `User-Agent=["me"]`},
		"omitted headers":                    {"-H Accept: -H User-Agent: URL/headers", "User-Agent=[]\nAccept=[]"},
		"empty header":                       {"-H X-One; URL/headers", `X-One=[""]`},
		"header with two values":             {"-H X-One:1 -H x-one:2 URL/headers", `X-One=["1" "2"]`},
		"user":                               {"-u me:secret URL/headers", `Authorization=["Basic bWU6c2VjcmV0"]`},
		"user in the URL":                    {"http://me:secret@" + host + "/headers", `Authorization=["Basic bWU6c2VjcmV0"]`},
		"redirect without -L":                {"-i URL/moved", "HTTP/1.1 302 Found\r\n"},
		"redirect with -L":                   {"-L -d x URL/moved", `GET /target?x=1 host=` + host + ` body=""`},
		"redirect that keeps the method":     {"-L -d x URL/kept", `POST /target host=` + host + ` body="x"`},
		"redirect that keeps the host":       {"-L -H Host:shop.test URL/moved", `GET /target?x=1 host=shop.test`},
		"headers of a redirect":              {"-iL URL/moved", "HTTP/1.1 302 Found\r\n"},
		"response headers":                   {"-i URL/missing", "X-App: backend-1\r\n\r\nnothing here"},
		"combined short options":             {"-sSiXPUT URL/", "PUT /"},
		"write-out after the body":           {`-w \n%{http_code},%{size_download}%% URL/missing`, "nothing here\n404,12%"},
		"several URLs":                       {"URL/one URL/two", "GET /two"},
		"resolve without DNS":                {"--resolve shop.test:PORT:127.0.0.1 http://shop.test:PORT/", "host=shop.test:"},
		"resolve for each host":              {"--resolve *:PORT:127.0.0.1 http://shop.test:PORT/", "host=shop.test:"},
		"long options with = and a space":    {"--max-time=60 --request PATCH URL/", "PATCH /"},
		"write-out of the redirect's target": {`-w \n%{redirect_url} URL/moved`, "/target?x=1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(host)
			args := strings.Fields(strings.NewReplacer("URL", s.URL, "PORT", port).Replace(tt.args))
			got := run(t, fetch.Curl, args...)
			if got.code != 0 || !strings.Contains(got.out, tt.want) {
				t.Errorf("curl %s: exit code %d\n%s%s\nwant %q", strings.Join(args, " "), got.code, got.out, got.err, tt.want)
			}
		})
	}
}

func TestCurlReturnsExitCodes(t *testing.T) {
	s := site(t)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it logs the failed handshake
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	tests := map[string]struct {
		args string
		code int
		err  string
	}{
		"no URL":                  {"", 2, "no URL given"},
		"unknown long option":     {"--frobnicate URL", 2, "unknown flag: --frobnicate; the options are:\n"},
		"unknown short option":    {"-sZ URL", 2, "unknown shorthand flag: 'Z'"},
		"list of options":         {"--frobnicate URL", 2, "-H, --header 'NAME: VALUE'"},
		"missing value":           {"URL -H", 2, "flag needs an argument: 'H'"},
		"missing long value":      {"URL --header", 2, "flag needs an argument: --header"},
		"value for a switch":      {"--silent=yes URL", 2, `invalid argument "yes"`},
		"bad header":              {"-H nonsense URL", 2, `"nonsense" is not NAME: VALUE`},
		"forbidden header":        {"-H Content-Length:5 URL", 2, "cannot be set"},
		"bad time":                {"-m soon URL", 2, `"soon" is not a number of seconds`},
		"negative time":           {"-m -1 URL", 2, `"-1" is not a number of seconds`},
		"time without a value":    {"-m NaN URL", 2, `"NaN" is not a number of seconds`},
		"bad resolve":             {"--resolve shop.test URL", 2, "is not HOST:PORT:ADDRESS"},
		"bad resolve address":     {"--resolve shop.test:80:here URL", 2, "here"},
		"data from a file":        {"-d @/does/not/exist URL", 2, "data from a file is not supported"},
		"bad method":              {"-X B@D\x7f URL", 2, "method"},
		"other protocol":          {"ftp://example.test/", 1, `protocol "ftp" is not supported`},
		"malformed URL":           {"http://[::1/", 3, "URL malformed"},
		"no host":                 {"http:///path", 3, "has no host"},
		"refused connection":      {closed.Addr().String(), 7, "failed to connect to " + closed.Addr().String()},
		"error status":            {"-f URL/missing", 22, "404 Not Found"},
		"output without a folder": {"-o /does/not/exist URL", 23, "/does/not/exist"},
		"timeout":                 {"-m 0.01 URL/stuck", 28, "timed out"},
		"redirect loop":           {"-L URL/loop", 47, "more than 50 redirects"},
		"no response":             {"URL/hangup", 52, "empty reply"},
		"half a response":         {"URL/half", 18, "before the end of the response"},
		"unknown authority":       {secure.URL, 60, "-k skips the verification"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run(t, fetch.Curl, strings.Fields(strings.ReplaceAll(tt.args, "URL", s.URL))...)
			if got.code != tt.code || !strings.Contains(got.err, tt.err) {
				t.Errorf("curl %s: exit code %d, %q; want %d with %q", tt.args, got.code, got.err, tt.code, tt.err)
			}
			if got.out != "" && tt.code != 18 {
				t.Errorf("curl %s: printed %q", tt.args, got.out)
			}
		})
	}
}

func TestCurlSilent(t *testing.T) {
	s := site(t)
	if got := run(t, fetch.Curl, "-sf", s.URL+"/missing"); got.err != "" || got.code != 22 {
		t.Errorf("-s: %d %q, want 22 without a message", got.code, got.err)
	}
	if got := run(t, fetch.Curl, "-sSf", s.URL+"/missing"); got.err == "" {
		t.Error("-sS: no message, want the error")
	}
	got := run(t, fetch.Curl, "-s", "-m", "0.01", "-w", "%{http_code} %{exitcode}", s.URL+"/stuck")
	if got.out != "000 28" {
		t.Errorf("-w without a response: %q, want 000 28", got.out)
	}
}

func TestCurlHeadAndVerbose(t *testing.T) {
	s := site(t)
	got := run(t, fetch.Curl, "-I", s.URL+"/missing")
	if !strings.HasPrefix(got.out, "HTTP/1.1 404 Not Found\r\n") || strings.Contains(got.out, "nothing here") {
		t.Errorf("-I: %q, want headers only", got.out)
	}
	got = run(t, fetch.Curl, "-v", "-H", "x-one: 1", s.URL+"/missing")
	for _, line := range []string{"> GET /missing HTTP/1.1\n", "> x-one: 1\n", ">\n", "< HTTP/1.1 404 Not Found\n", "< X-App: backend-1\n"} {
		if !strings.Contains(got.err, line) {
			t.Errorf("-v without %q in\n%s", line, got.err)
		}
	}
	if got.out != "nothing here" {
		t.Errorf("-v: output %q, want the body alone", got.out)
	}
}

func TestCurlWritesFiles(t *testing.T) {
	s := site(t)
	file := filepath.Join(t.TempDir(), "page")
	if got := run(t, fetch.Curl, "-so", file, s.URL+"/missing"); got.code != 0 || got.out != "" {
		t.Errorf("-o: %+v", got)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "nothing here" {
		t.Errorf("file: %q, %v", data, err)
	}
}

func TestCurlDropsCredentialsOnRedirectToOtherHost(t *testing.T) {
	var got http.Header
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer away.Close()
	home := httptest.NewServer(http.RedirectHandler(away.URL, http.StatusFound))
	defer home.Close()
	run(t, fetch.Curl, "-L", "-u", "me:secret", "-H", "Cookie: id=1", "-H", "X-Other: 1", home.URL)
	if got.Get("Authorization") != "" || got.Get("Cookie") != "" || got.Get("X-Other") != "1" {
		t.Errorf("sent to the other host: %v, want neither Authorization nor Cookie, but X-Other", got)
	}
}

func TestCurlUsesHTTP2AndSNI(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s sni=%s", r.Proto, r.TLS.ServerName)
	}))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	got := run(t, fetch.Curl, "-sk", "--resolve", "shop.test:"+port+":127.0.0.1", "https://shop.test:"+port+"/")
	if got.out != "HTTP/2.0 sni=shop.test" {
		t.Errorf("-k: %+v, want HTTP/2 and the name in SNI", got)
	}
}

func TestHelpPrintsUsage(t *testing.T) {
	for name, command := range map[string]func(context.Context, []string, fetch.Streams) int{"curl": fetch.Curl, "wget": fetch.Wget} {
		got := run(t, command, "--help")
		if got.code != 0 || !strings.HasPrefix(got.out, "usage: "+name) || got.err != "" {
			t.Errorf("%s --help: %+v", name, got)
		}
	}
}
