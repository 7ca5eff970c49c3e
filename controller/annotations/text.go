package annotations

import (
	"fmt"
	"net/url"
	"strings"
)

// Whatever of an annotation gets into a header or a URL is checked here. An annotation is written by whoever may write an
// Ingress, and read by a proxy that serves everybody: a line break in a value would be a header of its own.

// items takes a comma-separated list apart. Empty ones, as between two commas, are left out.
func items(value string) []string {
	var all []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

// checkText refuses what a header value cannot hold (RFC 9110, 5.5): control characters. Bytes beyond ASCII are refused, too,
// for their meaning is not defined there.
func checkText(value string) error {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return fmt.Errorf("%q has the character %q in it, which a header cannot hold", value, c)
		}
	}
	return nil
}

// checkVisible refuses spaces as well: what a URL or a host name cannot hold.
func checkVisible(value string) error {
	if strings.Contains(value, " ") {
		return fmt.Errorf("%q has a space in it", value)
	}
	return checkText(value)
}

// text makes the reader of a text that goes into a header as it is.
func text(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		if err := checkText(value); err != nil {
			return err
		}
		*field(o) = value
		return nil
	}
}

// isToken says whether value is a token (RFC 9110, 5.6.2): the name of a header, a method, a cookie.
func isToken(value string) bool {
	for i := range len(value) {
		if c := value[i]; !isWord(c) && !strings.ContainsRune("!#$%&'*+-.^`|~", rune(c)) {
			return false
		}
	}
	return value != ""
}

// token makes the reader of a token; what names it in the fault.
func token(what string, field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		if !isToken(value) {
			return fmt.Errorf("%q is not the name of a %s", value, what)
		}
		*field(o) = value
		return nil
	}
}

// tokens reads a comma-separated list of tokens.
func tokens(value string) ([]string, error) {
	all := items(value)
	for _, item := range all {
		if !isToken(item) {
			return nil, fmt.Errorf("%q is not a name as headers have them", item)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q has no name in it", value)
	}
	return all, nil
}

// tokenList makes the reader of a comma-separated list of tokens that is sent as it is written.
func tokenList(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		all, err := tokens(value)
		if err != nil {
			return err
		}
		if checkText(value) != nil {
			value = strings.Join(all, ", ") // it was written over several lines
		}
		*field(o) = value
		return nil
	}
}

// template makes the reader of a text with variables; check looks at what it may become.
func template(check func(string) error, field func(*Options) *Template) reader {
	return func(o *Options, value string) error {
		t, err := ParseTemplate(value)
		if err != nil {
			return err
		}
		if err := check(t.Expand(sample)); err != nil {
			return fmt.Errorf("%q: %w", value, err)
		}
		*field(o) = t
		return nil
	}
}

// sample gives a value to each variable, so that a template can be checked before there is a request.
func sample(variable string) string {
	switch variable {
	case "scheme", "pass_access_scheme":
		return "https"
	case "server_port", "pass_server_port":
		return "443"
	case "request_uri", "uri", "document_uri", "1", "2", "3", "4", "5", "6", "7", "8", "9":
		return "/x" // a group may bring the slash, as in path /api(/.*)
	}
	return "x"
}

// checkURL wants an absolute URL of HTTP, without a user name and password in it.
func checkURL(value string) error {
	if err := checkVisible(value); err != nil {
		return err
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return fmt.Errorf("this is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("this is not an absolute URL of http or https")
	case u.User != nil:
		return fmt.Errorf("a URL with a user name in it is not supported")
	}
	return checkHost(u.Host)
}

// checkLocation wants an absolute URL, or a path.
func checkLocation(value string) error {
	if strings.HasPrefix(value, "/") {
		return checkPath(value)
	}
	return checkURL(value)
}

// checkHost wants a name or an address, with or without a port.
func checkHost(value string) error {
	for i := range len(value) {
		if c := value[i]; !isWord(c) && !strings.ContainsRune(".-:[]", rune(c)) {
			return fmt.Errorf("%q is not a host", value)
		}
	}
	if value == "" || strings.Contains(value, "..") {
		return fmt.Errorf("%q is not a host", value)
	}
	return nil
}

// checkPath wants a path from the root of this host; "//" in front would be that of another one.
func checkPath(value string) error {
	if !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || strings.HasPrefix(value, `/\`) {
		return fmt.Errorf("%q is not a path that begins with one slash", value)
	}
	return checkVisible(value)
}
