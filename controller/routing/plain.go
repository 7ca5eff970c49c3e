package routing

// isPlain recognizes a route that asks for nothing that Decide has to look at again for each request, which is what nearly
// all routes are. ssl-redirect is not among these things: it is on by default, and asked always.
func (r *Route) isPlain() bool {
	o := &r.Policy.Options
	switch {
	case r.redirectHost != "", r.rewrite != nil, len(r.Canaries) > 0:
	case o.Redirects.AppRoot != "", !o.Redirects.Temporal.IsZero(), !o.Redirects.Permanent.IsZero():
	case o.CORS.Enabled, o.Access.Allow != nil, len(o.Access.Deny) > 0, limited(o.Limits):
	case o.Auth.Basic, !o.Auth.URL.IsZero(), r.Policy.ClientCA != nil:
	case !o.Rewrite.VHost.IsZero(), !o.Backend.HashBy.IsZero(), o.Affinity.Enabled:
	default:
		return true
	}
	return false
}
