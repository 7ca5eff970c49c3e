package balancer

// leastConn takes the endpoint with the fewest requests in flight; those with equally few take turns
// (https://nginx.org/en/docs/http/ngx_http_upstream_module.html#least_conn). It knows of this replica's requests only.
type leastConn struct{ ring ring }

// pick implements picker.
func (l *leastConn) pick(endpoints, tried []*Endpoint) *Endpoint {
	return l.ring.cheapest(endpoints, tried, (*Endpoint).InFlight)
}
