package annotations

import (
	"fmt"
	"net/url"
	"strings"
)

// This file checks texts that become part of a header or a URL. A user who can create Ingresses
// writes the text, and the proxy serves all users. A line break in the text would start another
// header.

// items splits a comma-separated list, and omits empty items.
func items(value string) []string {
	var all []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

// checkText rejects control characters, which are invalid in a header (RFC 9110, 5.5), and bytes
// beyond ASCII, which have no defined meaning there.
func checkText(value string) error {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return fmt.Errorf("%q contains the character %q, which is invalid in a header", value, c)
		}
	}
	return nil
}

// checkVisible also rejects spaces, which are invalid in a URL or a host name.
func checkVisible(value string) error {
	if strings.Contains(value, " ") {
		return fmt.Errorf("%q contains a space", value)
	}
	return checkText(value)
}

// text returns a reader for a header value.
func text(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		if err := checkText(value); err != nil {
			return err
		}
		*field(o) = value
		return nil
	}
}

// isToken reports whether value is a token (RFC 9110, 5.6.2): the name of a header, method, or
// cookie.
func isToken(value string) bool {
	for i := range len(value) {
		if c := value[i]; !isWord(c) && !strings.ContainsRune("!#$%&'*+-.^`|~", rune(c)) {
			return false
		}
	}
	return value != ""
}

// token returns a reader for a token. An error calls the token by the word in what.
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
			return nil, fmt.Errorf("%q is not a valid name", item)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q contains no name", value)
	}
	return all, nil
}

// tokenList returns a reader for a comma-separated list of tokens, which is sent as written.
func tokenList(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		all, err := tokens(value)
		if err != nil {
			return err
		}
		if checkText(value) != nil {
			value = strings.Join(all, ", ") // it has several lines
		}
		*field(o) = value
		return nil
	}
}

// template returns a reader for a text with variables. It calls check with sample values.
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

// sample returns a sample value of a variable, to check a template without a request.
func sample(variable string) string {
	switch variable {
	case "scheme", "pass_access_scheme":
		return "https"
	case "server_port", "pass_server_port":
		return "443"
	case "request_uri", "uri", "document_uri", "1", "2", "3", "4", "5", "6", "7", "8", "9":
		return "/x" // a group can include the slash, as in path /api(/.*)
	}
	return "x"
}

// checkURL requires an absolute HTTP or HTTPS URL without a user name.
func checkURL(value string) error {
	if err := checkVisible(value); err != nil {
		return err
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return fmt.Errorf("not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("not an absolute http or https URL")
	case u.User != nil:
		return fmt.Errorf("a URL cannot contain a user name")
	}
	return checkHost(u.Host)
}

// checkLocation requires an absolute URL, or a path.
func checkLocation(value string) error {
	if strings.HasPrefix(value, "/") {
		return checkPath(value)
	}
	return checkURL(value)
}

// checkHost requires a name or an address, with or without a port.
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

// checkPath requires an absolute path on this host. A path that starts with "//" would select
// another host.
func checkPath(value string) error {
	if !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || strings.HasPrefix(value, `/\`) {
		return fmt.Errorf("%q is not a path that starts with one slash", value)
	}
	return checkVisible(value)
}
