package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// checkHTTP2 refuses requests over HTTP/2 that RFC 9113 calls malformed and net/http serves. The endpoint gets them over
// HTTP/1, where a host or a length that is said twice means one thing to us and may mean another to it. Frames say where
// a stream ends, so the connection can go on.
func checkHTTP2(r *http.Request) *refusal {
	hosts, lengths := r.Header["Host"], r.Header["Content-Length"]
	reason := ""
	switch {
	case !httpguts.ValidHeaderFieldName(r.Method): // both are tokens
		reason = "the method is no token (RFC 9110, 9.1)"
	case !strings.HasPrefix(r.RequestURI, "/"):
		reason = ":path does not begin with a slash (RFC 9113, 8.3.1)"
	case len(hosts) > 1 || len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		reason = "the Host header names another host than :authority (RFC 9113, 8.3.1)"
	case len(lengths) > 1:
		reason = "more than one Content-Length (RFC 9110, 8.6)"
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil {
			reason = "Content-Length is not a number (RFC 9110, 8.6)"
		} else if int64(n) != r.ContentLength { // that is 0 where the stream ends with the header
			reason = "Content-Length announces a body, and the stream ends without one (RFC 9113, 8.1.1)"
		}
	}
	if reason == "" {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, reason: reason, clientError: true}
}
