package controller

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// maxChanges is how many lines of log one new table may make: a namespace that is deleted can take thousands of routes along.
const maxChanges = 20

// change is a route that is there in only one of two tables, or that leads elsewhere in the second.
type change struct {
	ingress       types.NamespacedName
	host, path    string
	before, after string // the pools; empty if the table does not have the route
	closed        string // why the route answers 503, if it does so whatever there is
}

// routeKey is what a request is matched by.
type routeKey struct {
	host, path string
	pathType   networkingv1.PathType
}

// changes returns what a client may notice of the step from one table to the next: routes that came, went, or lead to another
// Service. Pods that come and go are not among it.
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
			found = append(found, change{ingress: r.Ingress, host: r.Host, path: r.Path, after: r.Pool.Key(), closed: r.Blocked})
		case was.Pool.Key() != r.Pool.Key() || was.Ingress != r.Ingress || was.Blocked != r.Blocked:
			found = append(found, change{ingress: r.Ingress, host: r.Host, path: r.Path, before: was.Pool.Key(), after: r.Pool.Key(), closed: r.Blocked})
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

// logChanges says what has changed, a line for each route, in terms of the Ingresses that people write.
func (c *Controller) logChanges(found []change) {
	for i, ch := range found {
		if i == maxChanges {
			c.log.Info("more routes have changed", "routes", len(found)-maxChanges)
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
		if ch.closed != "" {
			attributes = append(attributes, "closed", ch.closed)
		}
		c.log.Info(message, attributes...)
	}
}
