package annotations

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// proxying lists the annotations for forwarding.
var proxying = []Entry{
	{Name: "proxy-connect-timeout", Group: "proxy", Support: Supported, Values: "seconds, at least 1", Default: "5",
		Note: "maximum seconds to connect to an endpoint",
		read: timeout(func(o *Options) *time.Duration { return &o.Proxy.ConnectTimeout })},
	{Name: "proxy-read-timeout", Group: "proxy", Support: Supported, Values: "seconds, at least 1", Default: "60",
		Note: "maximum seconds between two reads from an endpoint",
		read: timeout(func(o *Options) *time.Duration { return &o.Proxy.ReadTimeout })},
	{Name: "proxy-send-timeout", Group: "proxy", Support: Supported, Values: "seconds, at least 1", Default: "60",
		Note: "maximum seconds between two writes to an endpoint",
		read: timeout(func(o *Options) *time.Duration { return &o.Proxy.SendTimeout })},
	{Name: "proxy-body-size", Group: "proxy", Support: Supported, Values: "a size such as 8m; 0 means no limit", Default: "1m",
		Note: "the largest request body; larger ones get 413", read: size(func(o *Options) *int64 { return &o.Proxy.BodySize })},
	{Name: "proxy-next-upstream", Group: "proxy", Support: Supported,
		Values: "off, or some of error, timeout, invalid_header, http_403, http_404, http_429, http_500, http_502, http_503, http_504, " +
			"non_idempotent",
		Default: "error timeout", Note: "when the controller tries another endpoint; never after part of the response was sent",
		read: readNextUpstream},
	{Name: "proxy-next-upstream-tries", Group: "proxy", Support: Supported, Values: "a number; 0 means all", Default: "3",
		Note: "how many endpoints a request tries", read: number(0, math.MaxInt32, func(o *Options) *int { return &o.Proxy.Tries })},
	{Name: "proxy-next-upstream-timeout", Group: "proxy", Support: Supported, Values: "seconds; 0 means no limit", Default: "0",
		Note: "the time limit for trying other endpoints",
		read: seconds(0, MaxTimeout, func(o *Options) *time.Duration { return &o.Proxy.NextUpstreamTimeout })},
	{Name: "proxy-buffering", Group: "proxy", Support: Supported, Values: "on, off", Default: "off",
		Note: "changes nothing: responses are streamed, with at most 32 KB in transit",
		read: onOff(func(o *Options) *bool { return &o.Proxy.Buffering })},
	{Name: "proxy-request-buffering", Group: "proxy", Support: Supported, Values: "on, off", Default: "off",
		Note: "changes nothing: requests are streamed, with at most 32 KB in transit",
		read: onOff(func(o *Options) *bool { return &o.Proxy.RequestBuffering })},

	{Name: "proxy-http-version", Group: "proxy", Default: "1.1", Idle: []string{"1.1"},
		Note: "the protocol is HTTP/1.1, or HTTP/2 with backend-protocol GRPC or GRPCS"},
	{Name: "proxy-buffer-size", Group: "proxy", Note: "an nginx buffer; response headers have a fixed limit"},
	{Name: "proxy-buffers-number", Group: "proxy", Note: "an nginx buffer"},
	{Name: "proxy-busy-buffers-size", Group: "proxy", Note: "an nginx buffer"},
	{Name: "proxy-max-temp-file-size", Group: "proxy", Idle: []string{"0"}, Note: "the controller writes no temporary files"},
	{Name: "client-body-buffer-size", Group: "proxy", Note: "an nginx buffer"},
	{Name: "connection-proxy-header", Group: "proxy", Idle: []string{"keep-alive"},
		Note: "each proxy sets its own Connection header (RFC 9110, 7.6.1)"},
}

// timeout returns a reader for a timeout.
func timeout(field func(*Options) *time.Duration) reader {
	return seconds(MinTimeout, MaxTimeout, field)
}

var retryStatuses = map[string]int{
	"http_403": http.StatusForbidden, "http_404": http.StatusNotFound, "http_429": http.StatusTooManyRequests,
	"http_500": http.StatusInternalServerError, "http_502": http.StatusBadGateway, "http_503": http.StatusServiceUnavailable,
	"http_504": http.StatusGatewayTimeout,
}

// readNextUpstream reads the words of nginx's proxy_next_upstream. It keeps NonIdempotent if the
// ConfigMap's retry-non-idempotent sets it.
func readNextUpstream(o *Options, value string) error {
	next := NextUpstream{NonIdempotent: o.Proxy.NextUpstream.NonIdempotent}
	for _, word := range strings.Fields(value) {
		switch word {
		case "off":
			next = NextUpstream{}
		case "error":
			next.Error = true
		case "timeout":
			next.Timeout = true
		case "invalid_header":
			next.InvalidHeader = true
		case "non_idempotent":
			next.NonIdempotent = true
		default:
			status, ok := retryStatuses[word]
			if !ok {
				return fmt.Errorf("%q is not one of error, timeout, invalid_header, non_idempotent, off, %s", word,
					strings.Join(slices.Sorted(maps.Keys(retryStatuses)), ", "))
			}
			next.Statuses = append(next.Statuses, status)
		}
	}
	o.Proxy.NextUpstream = next
	return nil
}
