package annotations

// blocking lists the security annotations that the controller does not support. Each blocks the
// routes of its Ingress.
//
// Snippets belong here, although most only add a header. A snippet is nginx configuration, and a
// line such as `deny all;` or `auth_basic` can be the only access control of a page. To find
// harmless snippets, the controller would need a parser for nginx configuration. A user can unblock
// the route by removing the snippet.
//
// ssl-passthrough belongs here, because it promises that only the endpoint can decrypt the request.
var blocking = []Entry{
	{Name: "server-snippet", Group: "snippets", Support: Blocks, Idle: []string{""},
		Note: "snippets are never supported, and this one can contain access rules"},
	{Name: "configuration-snippet", Group: "snippets", Support: Blocks, Idle: []string{""},
		Note: "snippets are never supported, and this one can contain access rules"},
	{Name: "auth-snippet", Group: "snippets", Support: Blocks, Idle: []string{""},
		Note: "snippets are never supported, and this one is about authentication"},
	{Name: "modsecurity-snippet", Group: "snippets", Support: Blocks, Idle: []string{""},
		Note: "snippets are never supported, and this one contains firewall rules"},
	{Name: "stream-snippet", Group: "snippets", Note: "snippets are never supported; this one is for TCP and UDP, not for this route"},
	{Name: "enable-modsecurity", Group: "firewall", Support: Blocks, Idle: []string{"", "false"},
		Note: "there is no web application firewall"},
	{Name: "enable-owasp-core-rules", Group: "firewall", Support: Blocks, Idle: []string{"", "false"},
		Note: "there is no web application firewall"},
	{Name: "modsecurity-transaction-id", Group: "firewall", With: "enable-modsecurity", Note: "the transaction ID in the firewall's log"},
	{Name: "ssl-passthrough", Group: "passthrough", Support: Blocks, Default: "false", Idle: []string{"", "false"},
		Note: "passes TLS to the endpoint without decryption"},
}
