package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
)

const wgetUsage = `usage: wget [options] URL...

A small wget for the pods of the labs. What it knows:`

// wget is a parsed command line.
type wget struct {
	transfer
	quiet, spider, help, showHeaders bool
}

// Wget runs a wget command line, without the program's name. It exits with 0, 1 (something failed),
// 2 (the command line) or 8 (the server answered with an error), as GNU wget does.
func Wget(ctx context.Context, args []string, std Streams) int {
	w := &wget{}
	w.follow, w.maxRedirects, w.fail = true, 20, true
	options := w.options()
	urls, err := parseOptions(args, options)
	switch {
	case err == nil && w.help:
		printHelp(std.Out, wgetUsage, options)
		return 0
	case err == nil && len(urls) == 0:
		err = errors.New("no URL given; --help lists the options")
	}
	if err != nil {
		_, _ = fmt.Fprintf(std.Err, "wget: %v\n", err)
		return exitUsage
	}
	if w.spider {
		w.method, w.output = http.MethodHead, "-"
	}
	if w.showHeaders {
		w.trace = &narrator{to: std.Err}
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
		t.output = fileName(raw)
	}
	out := t.run(ctx, raw, std)
	switch {
	case out.err != nil:
		_, _ = fmt.Fprintf(std.Err, "wget: %v\n", out.err)
		if codeOf(out.err) == exitHTTP {
			return wgetServerAnswered
		}
		return wgetFailed
	case !w.quiet && w.spider:
		_, _ = fmt.Fprintf(std.Err, "%s: exists\n", raw)
	case !w.quiet && t.output != "-":
		_, _ = fmt.Fprintf(std.Err, "%s: %d bytes saved in %s\n", raw, out.size, t.output)
	}
	return 0
}

// fileName is what wget saves a URL as.
func fileName(raw string) string {
	u, err := parseURL(raw)
	if err != nil {
		return "-" // run will report it
	}
	name := path.Base(u.Path)
	if name == "." || name == "/" || name == ".." {
		return "index.html"
	}
	return name
}

func (w *wget) options() []option {
	ignore := func(string) error { return nil }
	return []option{
		{"", "header", "'NAME: VALUE'", "send a header", w.addHeader},
		{"h", "help", "", "print this", on(&w.help)},
		{"", "method", "METHOD", "use this method", text(&w.method)},
		{"", "no-check-certificate", "", "do not verify the server's certificate", on(&w.dial.insecure)},
		{"O", "output-document", "FILE", "write the answer there; - is standard output", text(&w.output)},
		{"", "post-data", "DATA", "send it with POST", func(v string) error { w.body = []byte(v); return nil }},
		{"q", "quiet", "", "only errors are told", on(&w.quiet)},
		{"S", "server-response", "", "tell what is sent and received", on(&w.showHeaders)},
		{"", "spider", "", "only look whether it is there", on(&w.spider)},
		{"T", "timeout", "SECONDS", "give up after this long", duration(&w.maxTime)},
		{"t", "tries", "N", "it is tried once anyway", ignore},
	}
}
