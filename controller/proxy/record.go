package proxy

import "time"

// Record describes a finished request. The access log writes it, and the metrics count it.
type Record struct {
	// Time is when the request header was read.
	Time time.Time
	// Duration ends when the last byte of the response was written to the connection.
	Duration time.Duration
	Method   string
	// Host is the request's authority as sent.
	Host string
	// Path is the path as sent, without the query: queries can contain secrets.
	Path     string
	Protocol string // "HTTP/1.1", "HTTP/2.0"
	TLS      bool
	// Client is the client's address.
	Client string
	// User is the user name after a successful basic authentication, or empty.
	User string
	// Status is the response status: 101 for an upgraded connection, 499 if the client disconnected
	// before the response.
	Status int
	// BytesIn and BytesOut count body bytes. The traffic of an upgraded connection isn't counted.
	BytesIn, BytesOut int64
	// Ingress is "namespace/name" of the Ingress of the matched rule, and Rule is the position of
	// the rule in it. Both are empty if no rule matched.
	Ingress, Rule string
	// Service is the key of the pool, "namespace/name:port". It is empty if there is no route.
	Service string
	// Endpoint is the address of the pod that answered or was tried last, and Pod is its name. Both
	// are empty if none was tried.
	Endpoint, Pod string
	// Tries is the number of endpoints that were tried.
	Tries     int
	RequestID string
	// Step is the step that answered without an endpoint, such as StepAuth. It is empty if none
	// did.
	Step string
	// Referer and UserAgent are the client's header fields.
	Referer, UserAgent string
	// Reason says why the request was refused or failed. It is empty after a complete response.
	Reason string
	// Unlogged omits the request from the access log, because its Ingress disables the log.
	Unlogged bool
}
