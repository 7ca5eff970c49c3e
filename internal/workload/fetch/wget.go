package fetch

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/spf13/pflag"
)

// wget is a parsed command line.
type wget struct {
	transfer
	quiet, spider bool
}

// Wget runs a wget command line without the program's name. As GNU wget, it returns 0, 1 (failure), 2 (invalid
// command line), or 8 (the server responded with an error).
func Wget(ctx context.Context, args []string, std Streams) int {
	w := &wget{}
	w.follow, w.maxRedirects, w.fail = true, 20, true
	urls, code, done := parseOptions(w.options(), args, std)
	if done {
		return code
	}
	if w.spider {
		w.method, w.output = http.MethodHead, "-"
	}
	for _, url := range urls {
		if code := w.fetch(ctx, url, std); code != 0 {
			return code
		}
	}
	return 0
}

func (w *wget) fetch(ctx context.Context, raw string, std Streams) int {
	t := w.transfer
	if t.output == "" {
		t.output = "index.html"
		if u, err := parseURL(raw); err == nil && strings.Trim(path.Base(u.Path), "./") != "" {
			t.output = path.Base(u.Path)
		}
	}
	out := t.run(ctx, raw, std)
	switch {
	case out.err != nil:
		_, _ = fmt.Fprintf(std.Err, "wget: %v\n", out.err)
		if codeOf(out.err) == exitHTTP {
			return wgetServerError
		}
		return wgetFailed
	case !w.quiet && w.spider:
		_, _ = fmt.Fprintf(std.Err, "%s: exists\n", raw)
	case !w.quiet && t.output != "-":
		_, _ = fmt.Fprintf(std.Err, "%s: %d bytes saved in %s\n", raw, out.size, t.output)
	}
	return 0
}

func (w *wget) options() *pflag.FlagSet {
	set := pflag.NewFlagSet("wget", pflag.ContinueOnError)
	set.Func("header", "send the header `'NAME: VALUE'`", w.addHeader)
	set.BoolVar(&w.insecure, "no-check-certificate", false, "do not verify the server's certificate")
	set.StringVarP(&w.output, "output-document", "O", "", "write the response to `FILE`; - is standard output")
	set.Func("post-data", "send `DATA` with POST", func(v string) error { w.body = []byte(v); return nil })
	set.BoolVarP(&w.quiet, "quiet", "q", false, "print errors only")
	set.BoolVarP(&w.verbose, "server-response", "S", false, "print the request and the response headers")
	set.BoolVar(&w.spider, "spider", false, "check that the URL exists, without a download")
	set.FuncP("timeout", "T", "stop after `SECONDS`", secondsTo(&w.maxTime))
	return set
}
