package proxy

import "time"

// Record is what is known about one request when it is over. The access log writes it, the metrics count it.
type Record struct {
	// Time is when the request's header had been read.
	Time time.Time
	// Duration lasts until the last byte of the response was handed to the connection.
	Duration time.Duration
	Method   string
	// Host is the request's authority as sent.
	Host string
	// Path is the path as sent, without the query: queries carry secrets.
	Path     string
	Protocol string // "HTTP/1.1", "HTTP/2.0"
	TLS      bool
	// Client is the address the connection came from.
	Client string
	// User is the name of the client that has shown the right password; empty when none was asked for.
	User string
	// Status is what the client was told, 101 for an upgraded connection, 499 when it went away before it was told.
	Status int
	// BytesIn and BytesOut count body bytes. What passes through an upgraded connection is not counted.
	BytesIn, BytesOut int64
	// Ingress is "namespace/name" of the Ingress whose rule won and Rule the place in it; both empty when none did.
	Ingress, Rule string
	// Service is the key of the pool, "namespace/name:port"; empty when there was no route.
	Service string
	// Endpoint is the pod address that answered or was tried last, and Pod that pod; empty when none was.
	Endpoint, Pod string
	// Tries is the number of endpoints that were tried.
	Tries     int
	RequestID string
	// Step is the one that answered before an endpoint was asked, such as StepAuth; empty when none did.
	Step string
	// Referer and UserAgent are what the client says of itself.
	Referer, UserAgent string
	// Reason says why the request was refused or failed; empty when an endpoint answered in full.
	Reason string
	// Unlogged keeps the request out of the access log, as its Ingress wants it.
	Unlogged bool
}
