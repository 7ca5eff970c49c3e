package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

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
