package annotations

import "net/http"

// redirects lists the answers that send a client elsewhere.
var redirects = []Entry{
	{Name: "ssl-redirect", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "true",
		Note: "sends HTTP to HTTPS where the host has a certificate", read: boolean(func(o *Options) *bool { return &o.Redirects.SSL })},
	{Name: "force-ssl-redirect", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "sends HTTP to HTTPS even where the host has no certificate", read: boolean(func(o *Options) *bool { return &o.Redirects.ForceSSL })},
	{Name: "preserve-trailing-slash", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "keeps the last slash of the path in these two; without it, the slash is lost, as in ingress-nginx", read: boolean(func(o *Options) *bool { return &o.Redirects.PreserveTrailingSlash })},
	{Name: "permanent-redirect", Group: "TLS and redirects", Support: Supported, Values: "an absolute URL, or a path; variables",
		Note: "sends every request of the Ingress there, for good", read: template(checkLocation, func(o *Options) *Template { return &o.Redirects.Permanent })},
	{Name: "permanent-redirect-code", Group: "TLS and redirects", Support: Supported, With: "permanent-redirect", Values: "300 to 308", Default: "301",
		Note: "the status of that redirect",
		read: number(http.StatusMultipleChoices, http.StatusPermanentRedirect, func(o *Options) *int { return &o.Redirects.PermanentCode })},
	{Name: "temporal-redirect", Group: "TLS and redirects", Support: Supported, Values: "an absolute URL, or a path; variables",
		Note: "sends every request of the Ingress there, for now; comes before permanent-redirect", read: template(checkLocation, func(o *Options) *Template { return &o.Redirects.Temporal })},
	{Name: "temporal-redirect-code", Group: "TLS and redirects", Support: Supported, With: "temporal-redirect", Values: "300 to 308", Default: "302",
		Note: "the status of that redirect",
		read: number(http.StatusMultipleChoices, http.StatusPermanentRedirect, func(o *Options) *int { return &o.Redirects.TemporalCode })},
	{Name: "app-root", Group: "TLS and redirects", Support: Supported, Values: "a path",
		Note: "where / is sent to", read: readAppRoot},
	{Name: "from-to-www-redirect", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "sends www.shop.test to shop.test, or the reverse: to the one that has rules", read: boolean(func(o *Options) *bool { return &o.Redirects.FromToWWW })},
	{Name: "use-port-in-redirects", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "puts the port of the listener into the Location of from-to-www-redirect", read: boolean(func(o *Options) *bool { return &o.Redirects.UsePort })},
	{Name: "relative-redirects", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "leaves a path in Location as it is, without scheme and host", read: boolean(func(o *Options) *bool { return &o.Redirects.Relative })},
	{Name: "ssl-ciphers", Group: "TLS and redirects", Note: "the ciphers are those of Go's crypto/tls, all of them with forward secrecy"},
	{Name: "ssl-prefer-server-ciphers", Group: "TLS and redirects", Idle: []string{"true"}, Note: "the order of ciphers is that of Go's crypto/tls"},
}

func readAppRoot(o *Options, value string) error {
	if err := checkPath(value); err != nil {
		return err
	}
	o.Redirects.AppRoot = value
	return nil
}
