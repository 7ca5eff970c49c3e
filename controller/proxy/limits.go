package proxy

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
)

// applyLimits refuses a client that is beyond the limits of the route (Decision.Limit). A client is an address at an
// Ingress: all routes of an Ingress count together, as in ingress-nginx.
func (s *Server) applyLimits(x *exchange) (done bool) {
	if !x.decision.Limit {
		return false
	}
	asked := &x.decision.Policy.Limits
	limits := balancer.Limits{PerSecond: asked.RPS, PerMinute: asked.RPM, Burst: asked.Burst, Connections: asked.Connections}
	if limits.PerSecond == 0 && limits.PerMinute == 0 && limits.Connections == 0 {
		return false
	}
	client := balancer.Client{Route: x.record.Ingress, Address: x.client}
	verdict, wait := s.limiter.Admit(client, limits, x.record.Time)
	settings := x.view.table.Settings()
	switch verdict {
	case balancer.TooFast:
		s.refuse(x, &refusal{
			status: settings.LimitStatus,
			reason: fmt.Sprintf("%s is beyond the rate that ingress %s allows a client", client.Address, client.Route),
			header: http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}, // RFC 9110, 10.2.3
		})
	case balancer.TooMany:
		s.refuse(x, &refusal{
			status: settings.ConnectionLimitStatus,
			reason: fmt.Sprintf("%s has as many requests in flight as ingress %s allows a client", client.Address, client.Route),
			header: http.Header{"Retry-After": {strconv.Itoa(int(soon / time.Second))}},
		})
	default:
		if limits.Connections > 0 {
			x.leave = func() { s.limiter.Leave(client) }
		}
		return false
	}
	return true
}

// soon is when a client may come back that has too many requests in flight: nobody knows when one of them ends.
const soon = time.Second
