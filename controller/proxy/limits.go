package proxy

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
)

// applyLimits refuses a client that exceeds the limits of the route (Decision.Limit). Requests are
// counted per client address and Ingress: all routes of an Ingress count together, as in
// ingress-nginx.
func (s *Server) applyLimits(x *exchange) (done bool) {
	if !x.decision.Limit {
		return false
	}
	policy := &x.decision.Policy.Limits
	limits := balancer.Limits{PerSecond: policy.RPS, PerMinute: policy.RPM, Burst: policy.Burst, Connections: policy.Connections}
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
			reason: fmt.Sprintf("%s exceeds the rate limit of ingress %s", client.Address, client.Route),
			header: http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}, // RFC 9110, 10.2.3
		})
	case balancer.TooMany:
		s.refuse(x, &refusal{
			status: settings.ConnectionLimitStatus,
			reason: fmt.Sprintf("%s exceeds the limit of requests in flight of ingress %s", client.Address, client.Route),
			header: http.Header{"Retry-After": {strconv.Itoa(int(connectionRetryAfter / time.Second))}},
		})
	default:
		if limits.Connections > 0 {
			x.releaseSlot = func() { s.limiter.Leave(client) }
		}
		return false
	}
	return true
}

// connectionRetryAfter is the Retry-After for a client with too many requests in flight. It is
// fixed, because the proxy can't know when one of them ends.
const connectionRetryAfter = time.Second
