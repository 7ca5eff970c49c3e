package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func TestInvalidCommandLine(t *testing.T) {
	for args, says := range map[string]string{
		"":                                          "usage: workload COMMAND",
		"bake":                                      `workload: no command "bake"`,
		"cheese":                                    "workload cheese: --cheese is missing; it is one of cheddar, stilton, wensleydale",
		"cheese --cheese=brie":                      `workload cheese: --cheese: "brie" is not one of cheddar, stilton, wensleydale`,
		"cheese --cheese=stilton --number=1":        "workload cheese: flag provided but not defined: -number",
		"cheese --cheese=stilton stilton":           `workload cheese: unexpected argument "stilton"`,
		"backend --number=0":                        "workload backend: --number: 0 is less than 1",
		"backend --port=65536":                      "workload backend: --port: 65536 is not between 0 and 65535",
		"backend --port=http":                       "workload backend: invalid value",
		"backend --port=8443 --tls-port=8443":       "workload backend: --tls-port: 8443 is already the --port",
		"backend --tls-port=-2":                     "workload backend: --tls-port: -2 is not between -1 and 65535",
		"default-backend --drain=-1s":               "workload default-backend: --drain: -1s is negative",
		"default-backend --grace=-1s":               "workload default-backend: --grace: -1s is negative",
		"probe":                                     "workload probe: no request given; pass each request as an argument in JSON",
		"probe http://127.0.0.1/":                   "workload probe: http://127.0.0.1/: not a request",
		"net-test --verbose":                        "workload net-test: unexpected arguments",
		"curl --frobnicate http://127.0.0.1/":       "curl: unknown flag: --frobnicate; the options are:",
		"wget --frobnicate http://127.0.0.1/":       "wget: unknown flag: --frobnicate; the options are:",
		"nslookup -frobnicate kubernetes":           "nslookup: option -frobnicate: unknown; the options are",
		"backend --number=1 --port=1 and something": `unexpected argument "and"`,
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), "workload", strings.Fields(args), streams{&out, &errOut})
		if code != 2 || !strings.Contains(errOut.String(), says) || out.Len() > 0 {
			t.Errorf("workload %s: exit code %d, %q; want 2 with %q", args, code, errOut.String(), says)
		}
	}
}

func TestHelpPrintsToStandardOutput(t *testing.T) {
	for args, says := range map[string]string{
		"--help":        "usage: workload COMMAND",
		"help":          "usage: workload COMMAND",
		"cheese --help": "-cheese string",
		"backend -h":    "-drain duration",
		"curl --help":   "--resolve HOST:PORT:ADDRESS",
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), "workload", strings.Fields(args), streams{&out, &errOut})
		if code != 0 || !strings.Contains(out.String(), says) || errOut.Len() > 0 {
			t.Errorf("workload %s: exit code %d, %q, %q; want %q", args, code, out.String(), errOut.String(), says)
		}
	}
}

// In an image without a shell, links with these names run the tools.
func TestLinkNameSelectsTool(t *testing.T) {
	for _, program := range []string{"curl", "wget", "nslookup"} {
		var errOut bytes.Buffer
		code := run(t.Context(), program, nil, streams{io.Discard, &errOut})
		if code != 2 || !strings.HasPrefix(errOut.String(), program+": ") {
			t.Errorf("%s: exit code %d, %q; want an error with the tool's name", program, code, errOut.String())
		}
	}
}

func TestNetTestRunsUntilCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lines := newWatcher(`waiting`)
	code := make(chan int)
	go func() { code <- run(ctx, "workload", []string{"net-test"}, streams{io.Discard, lines}) }()
	<-lines.found
	select {
	case c := <-code:
		t.Fatalf("exited with %d before the cancellation", c)
	default:
	}
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d, want 0", c)
	}
}

func TestServersRunUntilCanceled(t *testing.T) {
	for args, want := range map[string]string{
		"cheese --cheese=wensleydale --port=0 --drain=0s": "wensleydale",
		"backend --number=2 --port=0 --drain=0s":          "backend-2",
		"default-backend --port=0 --drain=0s":             "default-backend",
	} {
		t.Run(want, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			lines := newWatcher(`listening .*address=\S*:(\d+)`)
			code := make(chan int)
			go func() { code <- run(ctx, "workload", strings.Fields(args), streams{io.Discard, lines}) }()
			port := <-lines.found
			resp, err := http.Get("http://127.0.0.1:" + port + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if got := resp.Header.Get("X-App"); got != want {
				t.Errorf("X-App %q, want %q", got, want)
			}
			if want == "backend-2" && string(body) != "This is Web Server 2 running on "+port+"!\n" {
				t.Errorf("greeting %q, want the port of the listener", body)
			}
			cancel()
			if c := <-code; c != 0 {
				t.Errorf("exit code %d, want 0", c)
			}
		})
	}
}

func TestPortInUseReturnsRuntimeError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lines := newWatcher(`listening .*address=\S*:(\d+)`)
	first := make(chan int)
	go func() {
		first <- run(ctx, "workload", []string{"default-backend", "--port=0", "--drain=0s"}, streams{io.Discard, lines})
	}()
	port := <-lines.found
	var errOut bytes.Buffer
	code := run(t.Context(), "workload", []string{"backend", "--port=" + port}, streams{io.Discard, &errOut})
	if code != 1 || !strings.Contains(errOut.String(), "workload backend: port "+port) {
		t.Errorf("exit code %d, %q; want 1 and the port", code, errOut.String())
	}
	cancel()
	<-first
}

// watcher sends the first match of its pattern in the text written to it.
type watcher struct {
	pattern *regexp.Regexp
	found   chan string

	mu   sync.Mutex
	text string
	done bool
}

func newWatcher(pattern string) *watcher {
	return &watcher{pattern: regexp.MustCompile(pattern), found: make(chan string, 1)}
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text += string(p)
	if match := w.pattern.FindStringSubmatch(w.text); match != nil && !w.done {
		w.done = true
		w.found <- match[len(match)-1]
	}
	return len(p), nil
}
