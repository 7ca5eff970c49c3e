package routing

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Variables returns the values of the variables in annotations (annotations.Template) for a request
// and its decision. The variables are those of nginx (https://nginx.org/en/docs/varindex.html) and
// a few that ingress-nginx adds. A variable without a value is empty.
//
// The values contain client input without escaping, so callers must escape them for URLs and
// headers. Only $uri and the groups $1 to $9 use the canonical path.
func Variables(r Request, d Decision) func(name string) string {
	return func(name string) string {
		if len(name) == 1 && '1' <= name[0] && name[0] <= '9' {
			return group(r, d, int(name[0]-'0'))
		}
		if value, ok := aboutRequest(&r, name); ok {
			return value
		}
		if value, ok := aboutRoute(&d, name); ok {
			return value
		}
		if header, ok := strings.CutPrefix(name, "http_"); ok {
			return strings.Join(r.Header[http.CanonicalHeaderKey(strings.ReplaceAll(header, "_", "-"))], ", ")
		}
		if cookie, ok := strings.CutPrefix(name, "cookie_"); ok {
			return firstCookie(r.Header, cookie)
		}
		if argument, ok := strings.CutPrefix(name, "arg_"); ok {
			return firstArgument(r.Query, argument)
		}
		return ""
	}
}

// group returns the text that a group of the rule's regular expression matched. It is empty if the
// group matched nothing, or if the rule is not a regular expression.
func group(r Request, d Decision, n int) string {
	if d.Route == nil || d.Route.pattern == nil {
		return ""
	}
	path, _, _ := canonicalPath(r.Path)
	groups := d.Route.pattern.FindStringSubmatch(path)
	if n >= len(groups) {
		return ""
	}
	return groups[n]
}

func aboutRequest(r *Request, name string) (string, bool) {
	switch name {
	case "host":
		host, _ := canonicalHost(r.Host)
		return host, true
	case "http_host", "best_http_host":
		return r.Host, true
	case "scheme", "pass_access_scheme":
		return scheme(r), true
	case "request_method":
		return r.Method, true
	case "request_uri":
		return requestURI(r), true
	case "escaped_request_uri":
		return strings.ReplaceAll(url.QueryEscape(requestURI(r)), "+", "%20"), true
	case "uri", "document_uri":
		path, _, _ := canonicalPath(r.Path)
		return path, true
	case "args", "query_string":
		return r.Query, true
	case "is_args":
		if r.Query == "" {
			return "", true
		}
		return "?", true
	case "remote_addr", "binary_remote_addr", "the_real_ip":
		if !r.Client.IsValid() {
			return "", true
		}
		return r.Client.String(), true
	case "remote_user":
		return basicUser(r.Header), true
	case "request_id", "req_id":
		return r.ID, true
	case "server_port", "pass_server_port":
		return strconv.Itoa(port(r)), true
	case "server_protocol":
		return r.Protocol, true
	}
	return "", false
}

func aboutRoute(d *Decision, name string) (string, bool) {
	if d.Route == nil {
		return "", false
	}
	switch name {
	case "server_name":
		return d.Route.Host, true
	case "namespace":
		return d.Route.Ingress.Namespace, true
	case "ingress_name":
		return d.Route.Ingress.Name, true
	case "service_name":
		return d.Route.Pool.Service.Name, true
	case "service_port":
		if d.Route.servicePort == "" { // that of --default-backend-service
			return d.Route.Pool.Port, true
		}
		return d.Route.servicePort, true
	}
	return "", false
}

func scheme(r *Request) string {
	if r.TLS {
		return "https"
	}
	return "http"
}

// port returns the port that the client sees.
func port(r *Request) int {
	switch {
	case r.Port != 0:
		return r.Port
	case r.TLS:
		return 443
	default:
		return 80
	}
}

// requestURI returns the request target as the client sent it.
func requestURI(r *Request) string {
	path := r.Path
	if path == "" {
		path = "/"
	}
	if r.Query == "" {
		return path
	}
	return path + "?" + r.Query
}

// basicUser returns the user name that the client sends (RFC 7617). The name is not verified.
func basicUser(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "basic") {
		return ""
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	if err != nil {
		return ""
	}
	user, _, _ := strings.Cut(string(pair), ":")
	return user
}

func firstArgument(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
