package annotations

// closing lists the protections that the controller cannot give yet. Each closes the routes of the Ingress that asks for it.
//
// Snippets are among them, although most only add a header. A snippet is a piece of nginx's configuration, and the one
// line `deny all;` or `auth_basic` in it may be all that stands between strangers and the page. Telling the harmless
// from the rest would take a parser of nginx's language; a closed route takes one edit by somebody who knows.
//
// backend-protocol is here for what happens without it: a request in the clear, on its way to a port that was meant to be
// reached through TLS, or one in a protocol that the endpoint does not speak. Neither can succeed.
var closing = []Entry{
	{Name: "auth-type", Group: "auth", Support: Closes, Note: "asks for a user name and password"},
	{Name: "auth-secret", Group: "auth", Support: Closes, Note: "the Secret with users and passwords"},
	{Name: "auth-secret-type", Group: "auth", Support: Closes, Note: "the format of that Secret"},
	{Name: "auth-realm", Group: "auth", Support: Closes, Note: "the realm that the password prompt shows"},
	{Name: "auth-url", Group: "auth", Support: Closes, Note: "asks an external service whether to let a request in"},
	{Name: "auth-method", Group: "auth", Support: Closes, Note: "the method of that question"},
	{Name: "auth-signin", Group: "auth", Support: Closes, Note: "where to sign in"},
	{Name: "auth-signin-redirect-param", Group: "auth", Support: Closes, Note: "the query parameter that leads back from signing in"},
	{Name: "auth-response-headers", Group: "auth", Support: Closes, Note: "headers that the external service adds to the request"},
	{Name: "auth-request-redirect", Group: "auth", Support: Closes, Note: "the X-Auth-Request-Redirect header"},
	{Name: "auth-proxy-set-headers", Group: "auth", Support: Closes, Note: "headers for the external service"},
	{Name: "auth-cache-key", Group: "auth", Support: Closes, Note: "the key under which its answers are kept"},
	{Name: "auth-cache-duration", Group: "auth", Support: Closes, Note: "how long its answers are kept"},
	{Name: "auth-keepalive", Group: "auth", Support: Closes, Note: "idle connections to the external service"},
	{Name: "auth-keepalive-requests", Group: "auth", Support: Closes, Note: "requests on one such connection"},
	{Name: "auth-keepalive-timeout", Group: "auth", Support: Closes, Note: "the age of such a connection"},
	{Name: "auth-keepalive-share-vars", Group: "auth", Support: Closes, Note: "variables shared with the external service"},
	{Name: "auth-always-set-cookie", Group: "auth", Support: Closes, Note: "keeps the external service's cookies"},
	{Name: "enable-global-auth", Group: "auth", Support: Closes, Idle: []string{"false"}, Note: "the cluster-wide external authentication"},
	{Name: "satisfy", Group: "auth", Support: Closes, Default: "all", Idle: []string{"all"}, Note: "whether one protection is enough"},

	{Name: "allowlist-source-range", Group: "access", Support: Closes, Note: "the client addresses that may enter"},
	{Name: "whitelist-source-range", Group: "access", Support: Closes, Note: "another name of allowlist-source-range"},
	{Name: "denylist-source-range", Group: "access", Support: Closes, Note: "the client addresses that may not enter"},

	{Name: "auth-tls-secret", Group: "mTLS", Support: Closes, Note: "the CA that clients' certificates must come from"},
	{Name: "auth-tls-verify-client", Group: "mTLS", Support: Closes, Idle: []string{"off"}, Note: "whether a client must show a certificate"},
	{Name: "auth-tls-verify-depth", Group: "mTLS", Support: Closes, Note: "the length of the certificate chain"},
	{Name: "auth-tls-match-cn", Group: "mTLS", Support: Closes, Note: "the common name that a client's certificate must have"},
	{Name: "auth-tls-pass-certificate-to-upstream", Group: "mTLS", Support: Closes, Idle: []string{"false"}, Note: "hands the client's certificate on"},
	{Name: "auth-tls-error-page", Group: "mTLS", Support: Closes, Note: "where clients without a certificate are sent"},

	{Name: "server-snippet", Group: "snippets", Support: Closes, Idle: []string{""}, Note: "snippets are never supported, and this one may hold access rules"},
	{Name: "configuration-snippet", Group: "snippets", Support: Closes, Idle: []string{""}, Note: "snippets are never supported, and this one may hold access rules"},
	{Name: "auth-snippet", Group: "snippets", Support: Closes, Note: "snippets are never supported, and this one is about authentication"},
	{Name: "modsecurity-snippet", Group: "snippets", Support: Closes, Idle: []string{""}, Note: "snippets are never supported, and this one holds firewall rules"},
	{Name: "enable-modsecurity", Group: "firewall", Support: Closes, Idle: []string{"false"}, Note: "a web application firewall"},
	{Name: "enable-owasp-core-rules", Group: "firewall", Support: Closes, Idle: []string{"false"}, Note: "the rules of that firewall"},
	{Name: "modsecurity-transaction-id", Group: "firewall", With: "enable-modsecurity", Note: "the transaction id in the firewall's log"},

	{Name: "backend-protocol", Group: "proxy", Support: Closes, Default: "HTTP", Idle: []string{"", "http"}, Note: "endpoints are spoken to in plain HTTP/1.1 only"},
	{Name: "ssl-passthrough", Group: "TLS and redirects", Support: Closes, Default: "false", Idle: []string{"", "false"}, Note: "hands TLS through to the endpoint unopened"},
}
