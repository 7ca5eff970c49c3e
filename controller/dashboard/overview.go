package dashboard

import (
	"slices"
	"strings"
)

// maxRows is the maximum number of routes, and of pools, on a page, because browsers are slow with
// ten thousand. Users find the others with the filter or the JSON API.
const maxRows = 500

// overview is the part of the table that matches a filter.
type overview struct {
	Hosts []Host
	Pools []*Pool
	// Routes and Endpoints are the numbers in the whole table. HiddenRoutes and HiddenPools are the
	// numbers beyond maxRows.
	Routes, Endpoints         int
	HiddenRoutes, HiddenPools int
}

// overview returns the routes with the filter text in their host, path, Ingress, Service, or
// policy, with their pools. It also returns the pools with the text in a Service, pod, or address.
// An empty filter matches everything.
func (s Source) overview(filter string) overview {
	table := s.Table()
	pools, byPool := s.pools(table)
	filter = strings.ToLower(strings.TrimSpace(filter))
	o := overview{Hosts: []Host{}, Pools: []*Pool{}}
	used := map[*Pool]bool{}
	room := maxRows
	for _, host := range hosts(table, byPool) {
		o.Routes += len(host.Routes)
		routes := slices.DeleteFunc(host.Routes, func(r Route) bool { return !r.has(host.Name, filter) })
		shown := min(len(routes), room)
		o.HiddenRoutes += len(routes) - shown
		room -= shown
		if shown == 0 {
			continue
		}
		host.Routes = routes[:shown]
		o.Hosts = append(o.Hosts, host)
		for _, route := range host.Routes {
			used[route.Pool] = true
			for _, canary := range route.Canaries {
				used[canary.Pool] = true
			}
		}
	}
	for _, pool := range pools {
		o.Endpoints += len(pool.Endpoints)
		switch {
		case filter != "" && !used[pool] && !pool.has(filter):
		case len(o.Pools) == maxRows:
			o.HiddenPools++
		default:
			o.Pools = append(o.Pools, pool)
		}
	}
	return o
}

// has reports whether one of the texts contains the filter, which is in lower case.
func has(filter string, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), filter) })
}

func (r Route) has(host, filter string) bool {
	texts := []string{host, host + r.Path, r.Ingress, r.Service, r.PathType, r.Closed}
	for _, feature := range r.Policy {
		texts = append(texts, feature.Name+" "+feature.Value)
	}
	for _, canary := range r.Canaries {
		texts = append(texts, "canary "+canary.Ingress, canary.Service)
	}
	return has(filter, texts...)
}

func (p *Pool) has(filter string) bool {
	return has(filter, p.Service) || slices.ContainsFunc(p.Endpoints, func(e Endpoint) bool {
		return has(filter, e.Address, e.Pod, e.Node)
	})
}
