package routing

// isPlain reports whether the policy requires no work for each request, as for nearly all routes.
// ssl-redirect does not count: it is on by default, and always checked.
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
