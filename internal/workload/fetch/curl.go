package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const curlUsage = `usage: curl [options] URL...

A small curl for the pods of the labs. What it knows:`

// curl is a parsed command line.
type curl struct {
	transfer
	urls      []string
	writeOut  string
	silent    bool
	showError bool
	verbose   bool
	help      bool
	data      []string
	dataGiven bool
	in        io.Reader
}

// Curl runs a curl command line, without the program's name, and returns curl's exit code. Ending ctx
// interrupts it.
func Curl(ctx context.Context, args []string, std Streams) int {
	c := &curl{in: std.In}
	c.maxRedirects = 50
	options := c.options()
	urls, err := parseOptions(args, options)
	c.urls = append(c.urls, urls...)
	switch {
	case err == nil && c.help:
		printHelp(std.Out, curlUsage, options)
		return 0
	case err == nil && len(c.urls) == 0:
		err = errors.New("no URL given; --help lists the options")
	}
	if err != nil {
		_, _ = fmt.Fprintf(std.Err, "curl: %v\n", err)
		return exitUsage
	}
	if c.dataGiven {
		c.body = []byte(strings.Join(c.data, "&"))
	}
	if c.verbose {
		c.trace = &narrator{to: std.Err}
	}
	code := 0
	for _, url := range c.urls {
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
		text, unknown := writeOut(c.writeOut, &out)
		_, _ = io.WriteString(std.Out, text)
		for _, name := range unknown {
			_, _ = fmt.Fprintf(std.Err, "curl: unknown --write-out variable: %q\n", name)
		}
	}
	return code
}

func (c *curl) options() []option {
	return []option{
		{"A", "user-agent", "NAME", "say who asks", func(v string) error { return c.addHeader("User-Agent: " + v) }},
		{"", "cacert", "FILE", "trust these certificates (PEM) instead of the system's", c.dial.addRoots},
		{"", "connect-timeout", "SECONDS", "give up connecting after this long", duration(&c.dial.connectTimeout)},
		{"d", "data", "DATA", "send it with POST; @FILE reads a file, @- standard input", c.addData},
		{"", "data-raw", "DATA", "as --data, but @ has no meaning", c.addRaw},
		{"", "data-binary", "DATA", "as --data, but line ends of files are kept", c.addBinary},
		{"f", "fail", "", "a status of 400 or more prints nothing and exits with 22", on(&c.fail)},
		{"I", "head", "", "ask for the headers only", on(&c.head)},
		{"H", "header", "'NAME: VALUE'", "send a header; 'NAME:' leaves one out, 'NAME;' sends it empty", c.addHeader},
		{"h", "help", "", "print this", on(&c.help)},
		{"", "http1.1", "", "do not use HTTP/2", on(&c.dial.onlyHTTP1)},
		{"", "http2-prior-knowledge", "", "use HTTP/2 without asking, also without TLS", on(&c.dial.plainHTTP2)},
		{"i", "include", "", "print the headers of the answer before its body", on(&c.include)},
		{"k", "insecure", "", "do not verify the server's certificate", on(&c.dial.insecure)},
		{"L", "location", "", "follow redirects", on(&c.follow)},
		{"m", "max-time", "SECONDS", "give up after this long", duration(&c.maxTime)},
		{"", "max-redirs", "N", "follow at most so many redirects (50)", c.setMaxRedirects},
		{"N", "no-buffer", "", "nothing is held back anyway", func(string) error { return nil }},
		{"o", "output", "FILE", "write the answer there", text(&c.output)},
		{"", "path-as-is", "", "the path is sent as it is anyway", func(string) error { return nil }},
		{"X", "request", "METHOD", "use this method", text(&c.method)},
		{"", "resolve", "HOST:PORT:ADDRESS", "take this address for the host and port; HOST may be *", c.dial.addResolve},
		{"s", "silent", "", "no error messages", on(&c.silent)},
		{"S", "show-error", "", "but with -s, error messages", on(&c.showError)},
		{"", "url", "URL", "fetch this URL", func(v string) error { c.urls = append(c.urls, v); return nil }},
		{"u", "user", "NAME:PASSWORD", "authenticate (Basic)", text(&c.user)},
		{"v", "verbose", "", "tell what is sent and received", on(&c.verbose)},
		{"w", "write-out", "FORMAT", `print this afterwards, such as '%{http_code}\n'`, text(&c.writeOut)},
	}
}

func (c *curl) setMaxRedirects(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a number from 0", value)
	}
	c.maxRedirects = n
	return nil
}

func (t *transfer) addHeader(line string) error {
	name, value, colon := strings.Cut(line, ":")
	switch {
	case !colon && strings.HasSuffix(line, ";"):
		name = strings.TrimSuffix(line, ";")
		t.headers = append(t.headers, header{name: name})
	case !colon || name == "":
		return fmt.Errorf("%q is not NAME: VALUE", line)
	case strings.TrimSpace(value) == "":
		t.headers = append(t.headers, header{name: name, remove: true})
	default:
		t.headers = append(t.headers, header{name: name, value: strings.TrimSpace(value)})
	}
	if strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
		return fmt.Errorf("%q cannot stand in a header", line)
	}
	return nil
}

// addData is -d, which drops line ends of files: it is made for forms.
func (c *curl) addData(value string) error {
	file, isFile := strings.CutPrefix(value, "@")
	if !isFile {
		return c.addRaw(value)
	}
	data, err := c.read(file)
	if err != nil {
		return err
	}
	return c.addRaw(strings.NewReplacer("\r", "", "\n", "").Replace(data))
}

func (c *curl) addBinary(value string) error {
	file, isFile := strings.CutPrefix(value, "@")
	if !isFile {
		return c.addRaw(value)
	}
	data, err := c.read(file)
	if err != nil {
		return err
	}
	return c.addRaw(data)
}

func (c *curl) addRaw(value string) error {
	c.data, c.dataGiven = append(c.data, value), true
	return nil
}

func (c *curl) read(file string) (string, error) {
	if file == "-" {
		data, err := io.ReadAll(c.in)
		return string(data), err
	}
	data, err := os.ReadFile(file)
	return string(data), err
}

// duration reads seconds, with a fraction if need be.
func duration(target *time.Duration) func(string) error {
	return func(value string) error {
		s, err := strconv.ParseFloat(value, 64)
		// The upper bound keeps the conversion from overflowing; it is more than 30 years.
		if err != nil || !(s >= 0 && s <= 1e9) {
			return fmt.Errorf("%q is not a number of seconds", value)
		}
		*target = time.Duration(s * float64(time.Second))
		return nil
	}
}
