package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// endpointIDLength is the length of an Endpoint's ID in bytes, before it is written in hexadecimal digits. It is long enough
// that nobody meets two endpoints of the same name, or finds another client's pod by trying.
const endpointIDLength = 16

// nameEndpoints names the endpoints that a route with affinity leads to.
func (r *Route) nameEndpoints() {
	if !r.Policy.Affinity.Enabled {
		return
	}
	r.Pool.nameEndpoints()
	for _, c := range r.Canaries {
		c.Pool.nameEndpoints()
	}
}

// nameEndpoints gives the endpoints of a pool the names by which affinity cookies call them. The pod is in them, because its
// address is soon another pod's, and so is the pool: two Services may have the same pods. What a pod is called depends on
// nothing else, so that all replicas of the controller, and the next table, call it the same.
func (p *Pool) nameEndpoints() {
	if p.byID != nil {
		return
	}
	p.byID = make(map[string]*Endpoint, len(p.Endpoints))
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		digest := sha256.Sum256([]byte(p.Key() + "\n" + e.Address.String() + "\n" + e.Pod.String()))
		e.ID = hex.EncodeToString(digest[:endpointIDLength])
		p.byID[e.ID] = e
	}
}

// named finds the endpoint that a cookie of that name calls for; nil when there is none. Of several cookies, the first that
// names an endpoint counts: the others may be of another path, or of another host above this one.
func (p *Pool) named(h http.Header, cookie string) *Endpoint {
	if p.byID == nil {
		return nil
	}
	for value := range cookies(h, cookie) {
		if e := p.byID[value]; e != nil {
			return e
		}
	}
	return nil
}
