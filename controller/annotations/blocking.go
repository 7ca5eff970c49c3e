package annotations

// blocking lists the protections that the controller does not give. Each closes the routes of the Ingress that asks for it.
//
// Snippets are among them, although most only add a header. A snippet is a piece of nginx's configuration, and the one
// line `deny all;` or `auth_basic` in it may be all that stands between strangers and the page. Telling the harmless
// from the rest would take a parser of nginx's language; a closed route takes one edit by somebody who knows.
//
// So is ssl-passthrough: who asks for it wants nobody but the endpoint to see the request in the clear.
var blocking = []Entry{
	{Name: "server-snippet", Group: "snippets", Support: Blocks, Idle: []string{""}, Note: "snippets are never supported, and this one may hold access rules"},
	{Name: "configuration-snippet", Group: "snippets", Support: Blocks, Idle: []string{""}, Note: "snippets are never supported, and this one may hold access rules"},
	{Name: "auth-snippet", Group: "snippets", Support: Blocks, Idle: []string{""}, Note: "snippets are never supported, and this one is about authentication"},
	{Name: "modsecurity-snippet", Group: "snippets", Support: Blocks, Idle: []string{""}, Note: "snippets are never supported, and this one holds firewall rules"},
	{Name: "stream-snippet", Group: "snippets", Note: "snippets are never supported; this one is about TCP and UDP, not this route"},
	{Name: "enable-modsecurity", Group: "firewall", Support: Blocks, Idle: []string{"", "false"}, Note: "a web application firewall"},
	{Name: "enable-owasp-core-rules", Group: "firewall", Support: Blocks, Idle: []string{"", "false"}, Note: "the rules of that firewall"},
	{Name: "modsecurity-transaction-id", Group: "firewall", With: "enable-modsecurity", Note: "the transaction id in the firewall's log"},
	{Name: "ssl-passthrough", Group: "passthrough", Support: Blocks, Default: "false", Idle: []string{"", "false"}, Note: "hands TLS through to the endpoint unopened"},
}
