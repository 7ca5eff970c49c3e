package annotations

import "net/http"

// redirects lists the annotations for redirects.
var redirects = []Entry{
	{Name: "ssl-redirect", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "true",
		Note: "redirects HTTP to HTTPS if the host has a certificate", read: boolean(func(o *Options) *bool { return &o.Redirects.SSL })},
	{Name: "force-ssl-redirect", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "redirects HTTP to HTTPS even if the host has no certificate",
		read: boolean(func(o *Options) *bool { return &o.Redirects.ForceSSL })},
	{Name: "preserve-trailing-slash", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "keeps the last slash of the path in these two redirects; without it, the slash is removed, as in ingress-nginx",
		read: boolean(func(o *Options) *bool { return &o.Redirects.PreserveTrailingSlash })},
	{Name: "permanent-redirect", Group: "TLS and redirects", Support: Supported, Values: "an absolute URL, or a path; variables",
		Note: "redirects every request of the Ingress permanently",
		read: template(checkLocation, func(o *Options) *Template { return &o.Redirects.Permanent })},
	{Name: "permanent-redirect-code", Group: "TLS and redirects", Support: Supported, With: "permanent-redirect", Values: "300 to 308",
		Default: "301",
		Note:    "the status of that redirect",
		read:    number(http.StatusMultipleChoices, http.StatusPermanentRedirect, func(o *Options) *int { return &o.Redirects.PermanentCode })},
	{Name: "temporal-redirect", Group: "TLS and redirects", Support: Supported, Values: "an absolute URL, or a path; variables",
		Note: "redirects every request of the Ingress temporarily; takes precedence over permanent-redirect",
		read: template(checkLocation, func(o *Options) *Template { return &o.Redirects.Temporal })},
	{Name: "temporal-redirect-code", Group: "TLS and redirects", Support: Supported, With: "temporal-redirect", Values: "300 to 308",
		Default: "302",
		Note:    "the status of that redirect",
		read:    number(http.StatusMultipleChoices, http.StatusPermanentRedirect, func(o *Options) *int { return &o.Redirects.TemporalCode })},
	{Name: "app-root", Group: "TLS and redirects", Support: Supported, Values: "a path",
		Note: "the path that / redirects to", read: readAppRoot},
	{Name: "from-to-www-redirect", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "redirects www.shop.test to shop.test, or the reverse: the target is the host with rules",
		read: boolean(func(o *Options) *bool { return &o.Redirects.FromToWWW })},
	{Name: "use-port-in-redirects", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "adds the port of the listener to the Location of from-to-www-redirect",
		read: boolean(func(o *Options) *bool { return &o.Redirects.UsePort })},
	{Name: "relative-redirects", Group: "TLS and redirects", Support: Supported, Values: "true, false", Default: "false",
		Note: "keeps a path in Location as written, without scheme and host",
		read: boolean(func(o *Options) *bool { return &o.Redirects.Relative })},
	{Name: "ssl-ciphers", Group: "TLS and redirects", Note: "the ciphers are those of Go's crypto/tls; all of them have forward secrecy"},
	{Name: "ssl-prefer-server-ciphers", Group: "TLS and redirects", Idle: []string{"true"},
		Note: "Go's crypto/tls determines the order of ciphers"},
}

func readAppRoot(o *Options, value string) error {
	if err := checkPath(value); err != nil {
		return err
	}
	o.Redirects.AppRoot = value
	return nil
}
