package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// endpointIDLength is the length of an ID in bytes, before hexadecimal encoding. IDs of this length
// do not collide, and a client cannot guess the ID of another client's pod.
const endpointIDLength = 16

// nameEndpoints sets the IDs of the endpoints of a route with affinity.
func (r *Route) nameEndpoints() {
	if !r.Policy.Affinity.Enabled {
		return
	}
	r.Pool.nameEndpoints()
	for _, c := range r.Canaries {
		c.Pool.nameEndpoints()
	}
}

// nameEndpoints sets the IDs that affinity cookies use. An ID depends on the pool, because two
// Services can have the same pods, and on the pod, because a different pod can soon have its
// address. It depends on nothing else, so all replicas and all later tables use the same ID.
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

// named returns the endpoint in the cookie of that name, or nil if there is none. If there are
// several cookies, it uses the first valid one. Others can belong to another path or a parent
// domain.
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
