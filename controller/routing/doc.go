// Package routing decides where an HTTP request goes. It is the part of an ingress controller that everything else
// serves: the informers exist to feed Build, the proxy exists to do what Decide says.
//
// It has two functions, and both are pure. They do no I/O, read no clock and draw no random numbers, so whatever the
// controller decides can be repeated on paper:
//
//	Build(Snapshot, Options) -> (*Table, []Problem)    the objects of a moment become a table
//	Table.Decide(Request)    -> Decision               a request meets the table
//
// A Table is never changed. When the cluster changes, a new one takes its place, and a request that began with the old
// one ends with it. There is no reload, and no moment in which half of a change is live.
//
// # How a request finds its endpoints
//
// The rules are those of https://kubernetes.io/docs/concepts/services-networking/ingress/. Where that page leaves a
// choice, the choice is named here.
//
//  1. The Host is brought into canonical form: lower case, without port and trailing dot. What is no host at all gets
//     400.
//
//  2. The path is brought into canonical form: escapes decoded, except those of the slash and the percent sign. What backends
//     would read differently gets 400: "/a/../b" always, "/a%2Fb" only if there is a rule that would tell "/a/b" from
//     it. The request itself goes on as it came, byte for byte.
//
//  3. One host is picked: the exact one, else the wildcard that differs in the first label only ("*.shop.test" takes
//     "a.shop.test", neither "a.b.shop.test" nor "shop.test"), else the rules without a host. The choice is final. If no path
//     of an exact host matches, the wildcard is not asked: whoever writes down a host means to own all of it.
//
//  4. One path is picked among the rules of that host, whichever Ingresses they come from: the longest that matches, and
//     Exact before Prefix at the same length. Exact is exact to the last slash. Prefix goes by whole elements: "/app" takes
//     "/app", "/app/" and "/app/x", not "/apple". ImplementationSpecific is the same as Prefix. With use-regex or
//     rewrite-target, the Prefix and ImplementationSpecific paths of that Ingress, and of no other, are regular expressions
//     (RE2): anchored at the start only, upper and lower case alike. They go by the length of their text too, as in
//     ingress-nginx, and any Exact path comes before them.
//
//  5. If no path matches, the default backends have their turn: that of the Ingress for its hosts, then that of an
//     Ingress without rules, then the controller's own. After that the answer is 404.
//
//  6. A route that was found may still refuse. It answers 503 if it is closed because its Ingress asks for a protection that
//     the controller cannot give. It does not give way to the next best route: a page under maintenance must not turn into
//     another page.
//
//  7. What answers without an endpoint comes next: the question of a browser before a cross-origin request (CORS), then
//     redirects: from-to-www-redirect, app-root, temporal-redirect, permanent-redirect, and at last the one to HTTPS. Then
//     comes who may enter: the address is checked here, and whether a password or an external service is to be asked is said
//     in the Decision. The question of a certificate authority (ACME) is let through both redirects and
//     authentication.
//
//  8. The request goes to the rule's own pool or to a canary's: a session's cookie is asked first, then a header, then a
//     cookie, then a draw. Whoever has no endpoint gives way to the other; with neither the error backend answers, or 503.
//
//  9. The path and the Host are rewritten. A path that becomes one that would have been refused gets 400.
//
//  10. The rest is the proxy's business: it takes an endpoint out of the Decision's Pool and sends the request to it.
//
// Try it: Explain takes the same way as Decide, and lists every rule that was considered, with the reason why it won or
// lost.
//
// # How objects become routes
//
//  1. Ingresses of another class are passed over.
//
//  2. The rest are taken in from the oldest to the youngest, by namespace and name at the same age. Rules for the same host are
//     merged. If two rules claim the same host and path, the first one in keeps it, and the author of the other gets a
//     Problem.
//
//  3. Every backend is resolved: its Service, the port of that Service, the EndpointSlices that carry the Service's
//     name. Endpoints are pods' own addresses. The Service's virtual IP is not used, unless service-upstream asks for
//     it; that way the controller sees single pods, can balance between them, and drops one the moment it terminates.
//
//  4. What refines routes comes when all of them are there, for it may be older: a canary joins the rule with the same host, path
//     and path type; an alias becomes another name of its host; a "www" host that only redirects is made where there is none.
//
//  5. What cannot be served still has its place in the table, where it answers 503 with the reason. What makes no sense is
//     left out. Either way there is a Problem that names the object and the field. Nothing ever stops the rest.
//
// # Reading order
//
// The vocabulary: snapshot.go (what goes in), table.go (Route, Pool, Endpoint), decision.go (what comes out), problem.go,
// and policy.go, which is what annotations come to. Then the way of a request: decide.go, host.go, path.go, virtualhost.go,
// regex.go; plain.go (the short way), cors.go, redirect.go, access.go, pool.go, canary.go, affinity.go, cookie.go,
// rewrite.go, variables.go; and explain.go. Then the way of an object: build.go, class.go, configmap.go, ingress.go,
// backend.go, endpoints.go, external.go, alias.go; and of what it refers to: references.go, resolve.go, backendtls.go,
// clienttls.go, certificate.go and keypair.go, with memory.go, which spares the next Build the parsing. The files under
// testdata tell the same story in examples: each opens with a rule, and shows objects, the table that they make, and what it
// decides.
package routing
