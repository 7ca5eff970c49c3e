// Package fetch is the HTTP client of the net-test pod: the parts of curl and wget that the labs use.
// Options, output, and exit codes follow the originals. An option that this package lacks is an error.
//
// commands.go turns arguments into a transfer; transfer.go runs it; failure.go selects the exit code.
//
// Three differences: the path is sent as typed, as with curl's --path-as-is. Response headers are printed in
// alphabetical order, because net/http does not keep theirs. The proxy settings of the environment are ignored.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Streams are the outputs of a command.
type Streams struct{ Out, Err io.Writer }

// parseOptions reads the options and returns the URLs. If the command has to end, it prints the help or the error,
// and returns done and the exit code.
func parseOptions(set *pflag.FlagSet, args []string, std Streams) (urls []string, code int, done bool) {
	set.Usage = func() {} // it is printed below
	err := set.Parse(args)
	var unknown *pflag.NotExistError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, _ = fmt.Fprintf(std.Out, "usage: %s [options] URL...\n\nA small %[1]s for the pods of the labs.\n\n%s", set.Name(), set.FlagUsages())
		return nil, 0, true
	case errors.As(err, &unknown):
		err = fmt.Errorf("%w; the options are:\n%s", err, set.FlagUsages())
	case err == nil && set.NArg() == 0:
		err = errors.New("no URL given; --help lists the options")
	}
	if err != nil {
		_, _ = fmt.Fprintf(std.Err, "%s: %v\n", set.Name(), err)
		return nil, exitUsage, true
	}
	return set.Args(), 0, false
}

// secondsTo returns an option's setter for a duration in seconds, such as 0.5.
func secondsTo(target *time.Duration) func(string) error {
	return func(value string) error {
		s, err := strconv.ParseFloat(value, 64)
		// The upper bound, 30 years, prevents an overflow. The comparison is false for NaN.
		if err != nil || !(s >= 0 && s <= 1e9) {
			return fmt.Errorf("%q is not a number of seconds", value)
		}
		*target = time.Duration(s * float64(time.Second))
		return nil
	}
}

// curl is a parsed command line.
type curl struct {
	transfer
	writeOut          string
	silent, showError bool
}

// Curl runs a curl command line without the program's name, and returns curl's exit code. The end of ctx interrupts it.
func Curl(ctx context.Context, args []string, std Streams) int {
	c := &curl{}
	c.maxRedirects = 50
	urls, code, done := parseOptions(c.options(), args, std)
	if done {
		return code
	}
	for _, url := range urls {
		code = c.fetch(ctx, url, std)
	}
	return code
}

func (c *curl) fetch(ctx context.Context, url string, std Streams) int {
	out := c.run(ctx, url, std)
	code := codeOf(out.err)
	if out.err != nil && (!c.silent || c.showError) {
		_, _ = fmt.Fprintf(std.Err, "curl: (%d) %v\n", code, out.err)
	}
	if c.writeOut != "" {
		_, _ = io.WriteString(std.Out, out.expand(c.writeOut))
	}
	return code
}

func (c *curl) options() *pflag.FlagSet {
	set := pflag.NewFlagSet("curl", pflag.ContinueOnError)
	set.Func("connect-timeout", "stop connecting after `SECONDS`", secondsTo(&c.connectTimeout))
	set.FuncP("data", "d", "send `DATA` with POST", c.addData)
	set.BoolVarP(&c.fail, "fail", "f", false, "print nothing and exit with 22 if the status is 400 or more")
	set.BoolVarP(&c.head, "head", "I", false, "request the headers only")
	set.FuncP("header", "H", "send the header `'NAME: VALUE'`; 'NAME:' omits it, 'NAME;' sends it empty", c.addHeader)
	set.BoolVarP(&c.include, "include", "i", false, "print the response headers before the body")
	set.BoolVarP(&c.insecure, "insecure", "k", false, "do not verify the server's certificate")
	set.BoolVarP(&c.follow, "location", "L", false, "follow redirects, 50 at most")
	set.FuncP("max-time", "m", "stop after `SECONDS`", secondsTo(&c.maxTime))
	set.StringVarP(&c.output, "output", "o", "", "write the response to `FILE`")
	set.StringVarP(&c.method, "request", "X", "", "use this `METHOD`")
	set.Func("resolve", "connect to an address without DNS: `HOST:PORT:ADDRESS`; HOST can be *", c.addResolve)
	set.BoolVarP(&c.silent, "silent", "s", false, "print no error messages")
	set.BoolVarP(&c.showError, "show-error", "S", false, "print error messages in spite of -s")
	set.StringVarP(&c.user, "user", "u", "", "authenticate with `NAME:PASSWORD` (Basic)")
	set.BoolVarP(&c.verbose, "verbose", "v", false, "print the request and the response headers")
	set.StringVarP(&c.writeOut, "write-out", "w", "", `print `+"`FORMAT`"+` at the end, such as '%{http_code}\n'`)
	return set
}

func (t *transfer) addHeader(line string) error {
	h := header{}
	name, value, colon := strings.Cut(line, ":")
	h.name, h.value = name, strings.TrimSpace(value)
	switch {
	case !colon && strings.HasSuffix(line, ";"):
		h.name = strings.TrimSuffix(line, ";")
	case !colon || name == "":
		return fmt.Errorf("%q is not NAME: VALUE", line)
	default:
		h.remove = h.value == ""
	}
	switch {
	case strings.ContainsAny(h.name, " \t\r\n") || strings.ContainsAny(value, "\r\n"):
		return fmt.Errorf("%q is not a valid header", line)
	case !h.remove && (strings.EqualFold(h.name, "Content-Length") || strings.EqualFold(h.name, "Transfer-Encoding")):
		return fmt.Errorf("header %s cannot be set; it follows from the body", h.name)
	}
	t.headers = append(t.headers, h)
	return nil
}

// addData handles -d. Several values are joined with &.
func (t *transfer) addData(value string) error {
	if strings.HasPrefix(value, "@") {
		return errors.New("data from a file is not supported; pass the data itself")
	}
	if t.body != nil {
		value = string(t.body) + "&" + value
	}
	t.body = []byte(value)
	return nil
}

// expand fills in a -w format: https://curl.se/docs/manpage.html#-w. An unknown variable stays as it is.
func (o *outcome) expand(format string) string {
	status, location := "000", ""
	header := http.Header{}
	if o.response != nil {
		status, header = fmt.Sprintf("%03d", o.response.StatusCode), o.response.Header
		if target, err := o.response.Location(); err == nil && o.response.StatusCode/100 == 3 {
			location = target.String()
		}
	}
	return strings.NewReplacer("%%", "%", `\n`, "\n", `\r`, "\r", `\t`, "\t",
		"%{http_code}", status, "%{response_code}", status,
		"%{content_type}", header.Get("Content-Type"),
		"%{size_download}", strconv.FormatInt(o.size, 10),
		"%{num_redirects}", strconv.Itoa(o.redirects), "%{redirect_url}", location, "%{url_effective}", o.url,
		"%{remote_ip}", o.remoteIP,
		"%{time_starttransfer}", fmt.Sprintf("%.6f", o.firstByte.Seconds()),
		"%{time_total}", fmt.Sprintf("%.6f", o.total.Seconds()),
		"%{exitcode}", strconv.Itoa(codeOf(o.err)),
	).Replace(format)
}

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
