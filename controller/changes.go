package controller

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// maxChanges is the maximum number of log lines for one table, because the deletion of a namespace
// can remove thousands of routes.
const maxChanges = 20

// change is a route that was added, removed, or changed between two tables.
type change struct {
	ingress       types.NamespacedName
	host, path    string
	before, after string // the pools; empty if the table lacks the route
	blocked       string // why the route is blocked, or empty
}

// routeKey identifies a route by what it matches.
type routeKey struct {
	host, path string
	pathType   networkingv1.PathType
}

// changes returns the differences between two tables that clients can notice: added and removed
// routes, and routes with another Service. It ignores changes of pods.
func changes(before, after *routing.Table) []change {
	old := make(map[routeKey]*routing.Route, len(before.Routes()))
	for _, r := range before.Routes() {
		old[keyOf(r)] = r
	}
	var found []change
	for _, r := range after.Routes() {
		was := old[keyOf(r)]
		delete(old, keyOf(r))
		switch {
		case was == nil:
			found = append(found, change{ingress: r.Ingress, host: r.Host, path: r.Path, after: r.Pool.Key(), blocked: r.Blocked})
		case was.Pool.Key() != r.Pool.Key() || was.Ingress != r.Ingress || was.Blocked != r.Blocked:
			found = append(found, change{ingress: r.Ingress, host: r.Host, path: r.Path, before: was.Pool.Key(), after: r.Pool.Key(),
				blocked: r.Blocked})
		}
	}
	for _, r := range old {
		found = append(found, change{ingress: r.Ingress, host: r.Host, path: r.Path, before: r.Pool.Key()})
	}
	slices.SortFunc(found, func(a, b change) int {
		return strings.Compare(a.host+" "+a.path, b.host+" "+b.path)
	})
	return found
}

func keyOf(r *routing.Route) routeKey { return routeKey{r.Host, r.Path, r.PathType} }

// logChanges logs one line for each changed route, but at most maxChanges lines.
func (c *Controller) logChanges(found []change) {
	for i, ch := range found {
		if i == maxChanges {
			c.log.Info("more routes changed", "routes", len(found)-maxChanges)
			return
		}
		host := ch.host
		if host == "" {
			host = "*"
		}
		attributes := []any{"host", host, "path", ch.path, "ingress", ch.ingress.String()}
		message := "route added"
		switch {
		case ch.after == "":
			message, attributes = "route removed", append(attributes, "service", ch.before)
		case ch.before == "":
			attributes = append(attributes, "service", ch.after)
		default:
			message, attributes = "route changed", append(attributes, "before", ch.before, "service", ch.after)
		}
		if ch.blocked != "" {
			attributes = append(attributes, "blocked", ch.blocked)
		}
		c.log.Info(message, attributes...)
	}
}
