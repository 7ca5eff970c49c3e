// Package routing decides where an HTTP request goes. The informers provide the input of Build, and
// the proxy executes the Decision.
//
// It has two functions, and both are pure. They do no I/O, read no clock, and draw no random
// numbers, so every decision is reproducible:
//
//	Build(Snapshot, Options, *Memory) -> (*Table, []Problem)    the objects of one moment become a table
//	Table.Decide(Request)             -> Decision               the table decides about a request
//
// Nothing changes a Table. After a change in the cluster, a new Table replaces it, and each request
// uses one Table from start to end. There is no reload, and no request sees only a part of a
// change.
//
// # How a request finds its endpoints
//
// The rules are those of https://kubernetes.io/docs/concepts/services-networking/ingress/. Where
// that page leaves a choice, this list states it.
//
//  1. The Host becomes canonical: lower case, without port and trailing dot. An invalid host gets 400.
//
//  2. The path becomes canonical: escapes are decoded, except those of the slash and the percent sign. A path that backends could read
//     differently gets 400: "/a/../b" always, "/a%2Fb" only if a rule distinguishes it from "/a/b". The endpoint gets the path
//     unchanged, byte for byte.
//
//  3. One host is selected: the exact one, else the wildcard that differs only in the first label ("*.shop.test" matches "a.shop.test",
//     but neither "a.b.shop.test" nor "shop.test"), else the rules without a host. The choice is final: if no path of an exact
//     host matches, the wildcard is not considered. An exact host owns all of its paths.
//
//  4. One path is selected among the rules of that host, from all Ingresses: the longest match, and Exact before Prefix at the same
//     length. Exact matches the whole path, including the last slash. Prefix matches whole elements: "/app" matches "/app", "/app/", and
//     "/app/x", but not "/apple". ImplementationSpecific is the same as Prefix. With use-regex or rewrite-target, the Prefix and
//     ImplementationSpecific paths of that Ingress are regular expressions (RE2). They are anchored at the start and ignore case.
//     They compete by the length of their text, as in ingress-nginx, and any Exact path comes before them.
//
//  5. If no path matches, the default backends are tried: that of the Ingress for its hosts, then that of an Ingress without rules,
//     then that of the controller. Otherwise the response is 404.
//
//  6. A matching route can still refuse. It responds with 503 if its Ingress has a security annotation that the controller cannot
//     provide. The next best route does not replace it.
//
//  7. Next come responses that need no endpoint: CORS preflights, then redirects (from-to-www-redirect, app-root, temporal-redirect,
//     permanent-redirect, and HTTPS). Then comes access control: the address is checked here, and the Decision states whether the proxy
//     checks a password or asks an external service. ACME HTTP-01 challenges pass both redirects and authentication.
//
//  8. The request goes to the rule's own pool or to a canary. The session cookie decides first, then a header, then a cookie, then the
//     random value. A pool without endpoints gives way to the other; with neither, the error backend responds, or 503.
//
//  9. The path and the Host are rewritten. If the rewritten path would be refused in step 2, the response is 400.
//
//  10. The proxy does the rest: it selects an endpoint of the Decision's Pool and sends the request to it.
//
// Explain follows the same steps as Decide, and lists every rule that it considers with the Reason
// why it won or lost.
//
// # How objects become routes
//
//  1. Ingresses of other classes are skipped.
//
//  2. The others are added from the oldest to the youngest, by namespace and name at the same age. Rules for the same host are merged.
//     If two rules have the same host and path, the first one keeps it, and the other Ingress gets a Problem.
//
//  3. Every backend is resolved: its Service, the Service port, and the EndpointSlices with the Service's label. Endpoints are pod
//     addresses. The cluster IP is not used unless service-upstream is set. So the controller can balance between pods, and removes
//     a pod as soon as it terminates.
//
//  4. Refinements come after all routes, because they can be older: a canary joins the rule with the same host, path, and path type; an
//     alias becomes another name of its host; a "www" host that only redirects is added if it is missing.
//
//  5. A route that cannot be served stays in the table and responds with 503 and the reason. An invalid rule is left out. In both
//     cases a Problem names the object and the field. Neither affects other routes.
//
// # Reading order
//
// The vocabulary: snapshot.go (the input), table.go (Route), pool.go (Pool, Endpoint), decision.go
// (the output), problem.go and reason.go (every Problem and its sentence), and policy.go (the
// options of an Ingress). Then the files that decide a request, in order: decide.go, host.go,
// path.go, virtualhost.go, regex.go, cors.go, redirect.go, access.go, pool.go, canary.go,
// affinity.go, rewrite.go, variables.go, and explain.go. Then the files that turn objects into
// routes: build.go, class.go, configmap.go, ingress.go, backend.go, endpoints.go, external.go, and
// alias.go. Then referenced objects: references.go, resolve.go, backendtls.go, clienttls.go,
// certificate.go, and keypair.go; memory.go keeps parsed objects for the next Build. The files in
// testdata are examples: each states a rule, and has objects, their table, and its decisions.
package routing
