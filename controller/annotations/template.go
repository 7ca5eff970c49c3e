package annotations

import (
	"fmt"
	"strings"
)

// Template is a text with variables, such as "https://$host/login?rd=$escaped_request_uri". The
// zero value means "not set". The variables are those of nginx,
// https://nginx.org/en/docs/varindex.html. Each request has different values.
type Template struct {
	source string
	parts  []part
}

// part is either plain text or the name of a variable.
type part struct{ text, variable string }

// ParseTemplate parses a text. A variable is "$name" or "${name}"; "$1" to "$9" are groups of a
// regular expression. The error names a variable that is unknown or lacks its closing brace.
func ParseTemplate(source string) (Template, error) {
	t := Template{source: source}
	for rest := source; rest != ""; {
		text, after, found := strings.Cut(rest, "$")
		if text != "" {
			t.parts = append(t.parts, part{text: text})
		}
		if !found {
			break
		}
		name, tail, err := variable(after)
		if err != nil {
			return Template{}, err
		}
		if !known(name) {
			return Template{}, fmt.Errorf("variable $%s is unknown", name)
		}
		t.parts = append(t.parts, part{variable: name})
		rest = tail
	}
	return t, nil
}

// variable splits s into the name of the variable at its start, and the rest.
func variable(s string) (name, rest string, err error) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, rest, ok = strings.Cut(inner, "}")
		if !ok {
			return "", "", fmt.Errorf("%q has no closing brace", "$"+s)
		}
		for i := range len(name) {
			if !isWord(name[i]) {
				return "", "", fmt.Errorf("%q is not the name of a variable: use letters, digits, and underscores", name)
			}
		}
		return name, rest, nil
	}
	end := 0
	for end < len(s) && isWord(s[end]) {
		end++
		if end == 1 && '0' <= s[0] && s[0] <= '9' {
			break // "$10" is the first group, then a zero
		}
	}
	if end == 0 {
		return "", "", fmt.Errorf("a dollar sign needs the name of a variable")
	}
	return s[:end], s[end:], nil
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// known reports whether a variable exists. "http_NAME", "cookie_NAME", and "arg_NAME" exist for any
// NAME.
func known(name string) bool {
	switch name {
	case "host", "best_http_host", "http_host", "hostname", "scheme", "pass_access_scheme", "request_method", "request_uri",
		"escaped_request_uri", "uri", "document_uri", "args", "query_string", "is_args", "remote_addr", "binary_remote_addr",
		"the_real_ip", "remote_user",
		"request_id", "req_id", "server_name", "server_port", "pass_server_port", "server_protocol",
		"namespace", "ingress_name", "service_name", "service_port":
		return true
	}
	if len(name) == 1 && '1' <= name[0] && name[0] <= '9' {
		return true
	}
	for _, prefix := range []string{"http_", "cookie_", "arg_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			return true
		}
	}
	return false
}

// IsZero reports whether t is not set.
func (t Template) IsZero() bool { return t.source == "" }

// String returns the template as written.
func (t Template) String() string { return t.source }

// Variables returns the names of the template's variables in order, with repetitions.
func (t Template) Variables() []string {
	var names []string
	for _, p := range t.parts {
		if p.variable != "" {
			names = append(names, p.variable)
		}
	}
	return names
}

// Expand returns the text with the values of the variables.
func (t Template) Expand(value func(variable string) string) string {
	if len(t.parts) == 1 && t.parts[0].variable == "" {
		return t.parts[0].text
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.variable != "" {
			b.WriteString(value(p.variable))
			continue
		}
		b.WriteString(p.text)
	}
	return b.String()
}
