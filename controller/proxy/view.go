package proxy

import (
	"context"
	"net"
	"net/http"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// view is a table with the live state of its pools and the connections to each endpoint. A request
// loads one view and keeps it, even if a new table is loaded meanwhile.
type view struct {
	table      *routing.Table
	settings   annotations.Settings
	hsts       string // the Strict-Transport-Security field, or empty
	pools      map[*routing.Pool]*balancer.Pool
	transports map[*balancer.Endpoint]*transports
}

// newView updates the registry to the table's pools. Endpoints in both tables keep their
// connections.
func newView(t *routing.Table, registry *balancer.Registry, old *view, dial, outside DialFunc) (*view, []*balancer.Endpoint) {
	want := map[string][]balancer.Identity{}
	for _, pool := range t.Pools() {
		want[pool.Key()] = identities(pool)
	}
	live, gone := registry.Update(want)
	v := &view{
		table:      t,
		settings:   t.Settings(),
		pools:      make(map[*routing.Pool]*balancer.Pool, len(live)),
		transports: map[*balancer.Endpoint]*transports{},
	}
	v.hsts = hstsValue(v.settings.HSTS)
	for _, pool := range t.Pools() {
		v.pools[pool] = live[pool.Key()]
	}
	wanted := map[dialect]bool{}
	for _, route := range t.Routes() {
		wanted[dialectOf(route.Policy)] = true
	}
	for _, pool := range t.Pools() {
		for _, endpoint := range v.pools[pool].Endpoints() {
			if old != nil && old.transports[endpoint] != nil {
				v.transports[endpoint] = old.transports[endpoint]
				v.transports[endpoint].keep(wanted)
				continue
			}
			v.transports[endpoint] = &transports{dial: dial, name: pool.ServerName()}
			if endpoint.Named() {
				v.transports[endpoint].dial = outside
			}
		}
	}
	return v, gone
}

// transport returns the transport to an endpoint for requests with the policy; a nil policy means
// plain HTTP.
func (v *view) transport(endpoint *balancer.Endpoint, policy *routing.Policy) *http.Transport {
	return v.transports[endpoint].get(policy)
}

func identities(pool *routing.Pool) []balancer.Identity {
	list := make([]balancer.Identity, len(pool.Endpoints))
	for i := range pool.Endpoints {
		list[i] = identity(&pool.Endpoints[i])
	}
	return list
}
