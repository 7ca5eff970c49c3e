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

// site answers in ways that a client must tell apart.
func site(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	asked := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s host=%s body=%q", r.Method, r.RequestURI, r.Host, body)
	}
	mux.HandleFunc("/", asked)
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
		panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http wants to be told to hang up
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = fmt.Fprint(w, "half")
	})
	mux.HandleFunc("/stuck", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "//") { // the mux would redirect to a cleaned path
			asked(w, r)
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

func run(t *testing.T, command func(context.Context, []string, fetch.Streams) int, in string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := command(t.Context(), args, fetch.Streams{In: strings.NewReader(in), Out: &out, Err: &errOut})
	return result{code, out.String(), errOut.String()}
}

func TestCurlAsks(t *testing.T) {
	s := site(t)
	host := strings.TrimPrefix(s.URL, "http://")
	file := filepath.Join(t.TempDir(), "form")
	if err := os.WriteFile(file, []byte("a=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args string
		in   string
		want string
	}{
		"a URL needs no scheme":            {args: host + "/a", want: `GET /a host=` + host + ` body=""`},
		"the path goes as typed":           {args: "URL/a%2Fb//c?x=%20&y", want: `GET /a%2Fb//c?x=%20&y`},
		"data makes it a POST":             {args: "-d a=1 -d b=2 URL/", want: `POST / host=` + host + ` body="a=1&b=2"`},
		"data comes from standard input":   {args: "-d @- URL/", in: "x\ny\n", want: `body="xy"`},
		"binary data keeps its line ends":  {args: "--data-binary @" + file + " URL/", want: `body="a=1\n"`},
		"a method may be named":            {args: "-X DELETE URL/", want: "DELETE /"},
		"the host header is the user's":    {args: "-H Host:cheddar.test URL/", want: "host=cheddar.test"},
		"headers replace ours":             {args: "-H user-agent:me URL/headers", want: `User-Agent=["me"]`},
		"headers can be left out":          {args: "-H Accept: -H User-Agent: URL/headers", want: "User-Agent=[]\nAccept=[]"},
		"a header can be empty":            {args: "-H X-One; URL/headers", want: `X-One=[""]`},
		"a header can come twice":          {args: "-H X-One:1 -H x-one:2 URL/headers", want: `X-One=["1" "2"]`},
		"users are authenticated":          {args: "-u me:secret URL/headers", want: `Authorization=["Basic bWU6c2VjcmV0"]`},
		"the URL may name the user":        {args: "http://me:secret@" + host + "/headers", want: `Authorization=["Basic bWU6c2VjcmV0"]`},
		"redirects are shown":              {args: "-i URL/moved", want: "HTTP/1.1 302 Found\r\n"},
		"redirects are followed with -L":   {args: "-L -d x URL/moved", want: `GET /target?x=1 host=` + host + ` body=""`},
		"some redirects keep the method":   {args: "-L -d x URL/kept", want: `POST /target host=` + host + ` body="x"`},
		"headers are printed with -i":      {args: "-i URL/missing", want: "X-App: backend-1\r\n\r\nnothing here"},
		"short flags go together":          {args: "-sSiXPUT URL/", want: "PUT /"},
		"write-out comes last":             {args: `-w \n%{http_code},%{size_download}%% URL/missing`, want: "nothing here\n404,12%"},
		"several URLs":                     {args: "URL/one URL/two", want: "GET /two"},
		"resolve replaces DNS":             {args: "--resolve shop.test:PORT:127.0.0.1 http://shop.test:PORT/", want: "host=shop.test:"},
		"resolve takes any host":           {args: "--resolve *:PORT:127.0.0.1 http://shop.test:PORT/", want: "host=shop.test:"},
		"long flags take = or a space":     {args: "--max-time=60 --request PATCH URL/", want: "PATCH /"},
		"a redirect's target can be asked": {args: `-w \n%{redirect_url} URL/moved`, want: "/target?x=1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(host)
			args := strings.Fields(strings.NewReplacer("URL", s.URL, "PORT", port).Replace(tt.args))
			got := run(t, fetch.Curl, tt.in, args...)
			if got.code != 0 || !strings.Contains(got.out, tt.want) {
				t.Errorf("curl %s: exit code %d\n%s%s\nwant %q", strings.Join(args, " "), got.code, got.out, got.err, tt.want)
			}
		})
	}
}

func TestCurlFailsAsCurlDoes(t *testing.T) {
	s := site(t)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it will complain of the client that hangs up
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
		"no URL":                     {"", 2, "no URL given"},
		"unknown long flag":          {"--frobnicate URL", 2, "option --frobnicate: is unknown"},
		"unknown short flag":         {"-sZ URL", 2, "option -Z: is unknown"},
		"missing value":              {"URL -H", 2, "option -H: requires 'NAME: VALUE'"},
		"missing long value":         {"URL --header", 2, "option --header: requires"},
		"value for a switch":         {"--silent=yes URL", 2, "option --silent: takes no value"},
		"bad header":                 {"-H nonsense URL", 2, `"nonsense" is not NAME: VALUE`},
		"header that cannot be set":  {"-H Content-Length:5 URL", 2, "cannot be set"},
		"bad time":                   {"-m soon URL", 2, `"soon" is not a number of seconds`},
		"negative time":              {"-m -1 URL", 2, `"-1" is not a number of seconds`},
		"endless time":               {"-m NaN URL", 2, `"NaN" is not a number of seconds`},
		"bad resolve":                {"--resolve shop.test URL", 2, "is not HOST:PORT:ADDRESS"},
		"bad resolve address":        {"--resolve shop.test:80:here URL", 2, "here"},
		"missing file":               {"-d @/does/not/exist URL", 2, "/does/not/exist"},
		"bad method":                 {"-X B@D\x7f URL", 2, "method"},
		"other protocol":             {"ftp://example.test/", 1, `protocol "ftp" is not supported`},
		"malformed URL":              {"http://[::1/", 3, "URL malformed"},
		"no host":                    {"http:///path", 3, "has no host"},
		"nobody listens":             {closed.Addr().String(), 7, "failed to connect to " + closed.Addr().String()},
		"the server says no":         {"-f URL/missing", 22, "404 Not Found"},
		"output cannot be written":   {"-o /does/not/exist URL", 23, "/does/not/exist"},
		"too slow":                   {"-m 0.01 URL/stuck", 28, "timed out"},
		"round and round":            {"-L URL/loop", 47, "more than 50 redirects"},
		"redirects bounded by hand":  {"-L --max-redirs 0 URL/moved", 47, "more than 0 redirects"},
		"no answer":                  {"URL/hangup", 52, "empty reply"},
		"half an answer":             {"URL/half", 18, "before the end of its answer"},
		"a certificate from nowhere": {secure.URL, 60, "-k goes on"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run(t, fetch.Curl, "", strings.Fields(strings.ReplaceAll(tt.args, "URL", s.URL))...)
			if got.code != tt.code || !strings.Contains(got.err, tt.err) {
				t.Errorf("curl %s: exit code %d, %q; want %d with %q", tt.args, got.code, got.err, tt.code, tt.err)
			}
			if got.out != "" && tt.code != 18 {
				t.Errorf("curl %s: printed %q", tt.args, got.out)
			}
		})
	}
}

func TestCurlIsSilentIfAsked(t *testing.T) {
	s := site(t)
	if got := run(t, fetch.Curl, "", "-sf", s.URL+"/missing"); got.err != "" || got.code != 22 {
		t.Errorf("-s: %d %q, want 22 and silence", got.code, got.err)
	}
	if got := run(t, fetch.Curl, "", "-sSf", s.URL+"/missing"); got.err == "" {
		t.Error("-sS: silent, want the error")
	}
	got := run(t, fetch.Curl, "", "-s", "-m", "0.01", "-w", "%{http_code} %{exitcode}", s.URL+"/stuck")
	if got.out != "000 28" {
		t.Errorf("-w without an answer: %q, want 000 28", got.out)
	}
}

func TestCurlHeadAndVerbose(t *testing.T) {
	s := site(t)
	got := run(t, fetch.Curl, "", "-I", s.URL+"/missing")
	if !strings.HasPrefix(got.out, "HTTP/1.1 404 Not Found\r\n") || strings.Contains(got.out, "nothing here") {
		t.Errorf("-I: %q, want headers only", got.out)
	}
	got = run(t, fetch.Curl, "", "-v", "-H", "x-one: 1", s.URL+"/missing")
	for _, line := range []string{"> GET /missing HTTP/1.1\n", "> x-one: 1\n", ">\n", "< HTTP/1.1 404 Not Found\n", "< X-App: backend-1\n"} {
		if !strings.Contains(got.err, line) {
			t.Errorf("-v lacks %q in\n%s", line, got.err)
		}
	}
	if got.out != "nothing here" {
		t.Errorf("-v: output %q, want the body alone", got.out)
	}
}

func TestCurlWritesFiles(t *testing.T) {
	s := site(t)
	file := filepath.Join(t.TempDir(), "page")
	if got := run(t, fetch.Curl, "", "-so", file, s.URL+"/missing"); got.code != 0 || got.out != "" {
		t.Errorf("-o: %+v", got)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "nothing here" {
		t.Errorf("file: %q, %v", data, err)
	}
}

// Credentials are for the host that the user named, not for where it points.
func TestCurlKeepsCredentialsHome(t *testing.T) {
	var got http.Header
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer away.Close()
	home := httptest.NewServer(http.RedirectHandler(away.URL, http.StatusFound))
	defer home.Close()
	run(t, fetch.Curl, "", "-L", "-u", "me:secret", "-H", "Cookie: id=1", "-H", "X-Other: 1", home.URL)
	if got.Get("Authorization") != "" || got.Get("Cookie") != "" || got.Get("X-Other") != "1" {
		t.Errorf("sent elsewhere: %v, want neither Authorization nor Cookie, but X-Other", got)
	}
}

func TestCurlTLS(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s sni=%s", r.Proto, r.TLS.ServerName)
	}))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	args := []string{"-sk", "--resolve", "shop.test:" + port + ":127.0.0.1", "https://shop.test:" + port + "/"}
	if got := run(t, fetch.Curl, "", args...); got.out != "HTTP/2.0 sni=shop.test" {
		t.Errorf("-k: %+v, want HTTP/2 and the name in SNI", got)
	}
	if got := run(t, fetch.Curl, "", append(args, "--http1.1")...); got.out != "HTTP/1.1 sni=shop.test" {
		t.Errorf("--http1.1: %+v", got)
	}
}

func TestHelp(t *testing.T) {
	for name, command := range map[string]func(context.Context, []string, fetch.Streams) int{"curl": fetch.Curl, "wget": fetch.Wget} {
		got := run(t, command, "", "--help")
		if got.code != 0 || !strings.HasPrefix(got.out, "usage: "+name) || got.err != "" {
			t.Errorf("%s --help: %+v", name, got)
		}
	}
}
