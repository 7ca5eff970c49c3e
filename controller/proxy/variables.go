package proxy

import (
	"net/url"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// variable gives the value of a variable of an annotation for this request.
func (x *exchange) variable(name string) string {
	uri := x.asked.Path
	if x.asked.Query != "" {
		uri += "?" + x.asked.Query
	}
	scheme := "http"
	if x.asked.TLS {
		scheme = "https"
	}
	switch name {
	case "request_uri":
		return uri
	case "escaped_request_uri":
		return url.QueryEscape(uri)
	case "scheme", "pass_access_scheme":
		return scheme
	case "http_host", "host":
		return x.asked.Host
	case "remote_addr":
		return x.asked.Client.String()
	}
	return "" // TODO: routing.Variables
}

// expand puts the values of variables into a text of an annotation.
func (x *exchange) expand(t annotations.Template) string { return t.Expand(x.variable) }
