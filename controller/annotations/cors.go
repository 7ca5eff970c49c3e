package annotations

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// cors lists the annotations for pages from other origins.
var cors = []Entry{
	{Name: "enable-cors", Group: "CORS", Support: Supported, Values: "true, false", Default: "false",
		Note: "responds to preflights, and sends the headers that allow pages from other origins to use the route",
		read: boolean(func(o *Options) *bool { return &o.CORS.Enabled })},
	{Name: "cors-allow-origin", Group: "CORS", Support: Supported, With: "enable-cors",
		Values:  "*, or origins such as https://shop.test or https://*.shop.test:8443, separated by commas",
		Default: "*", Otherwise: "this origin is not allowed", Note: "the allowed origins", read: readOrigins},
	{Name: "cors-allow-methods", Group: "CORS", Support: Supported, With: "enable-cors", Values: "methods, separated by commas",
		Default: "GET, PUT, POST, DELETE, PATCH, OPTIONS",
		Note:    "the allowed methods", read: tokenList(func(o *Options) *string { return &o.CORS.Methods })},
	{Name: "cors-allow-headers", Group: "CORS", Support: Supported, With: "enable-cors", Values: "names of headers, separated by commas",
		Default: "DNT, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Range, Authorization",
		Note:    "the allowed request headers", read: tokenList(func(o *Options) *string { return &o.CORS.Headers })},
	{Name: "cors-allow-credentials", Group: "CORS", Support: Supported, With: "enable-cors", Values: "true, false", Default: "true",
		Note: "whether cookies and passwords are allowed", read: boolean(func(o *Options) *bool { return &o.CORS.Credentials })},
	{Name: "cors-expose-headers", Group: "CORS", Support: Supported, With: "enable-cors", Values: "names of headers, separated by commas",
		Note: "response headers that scripts can read", read: tokenList(func(o *Options) *string { return &o.CORS.Expose })},
	{Name: "cors-max-age", Group: "CORS", Support: Supported, With: "enable-cors", Values: "seconds; -1 disables caching",
		Default: "1728000",
		Note:    "how long browsers cache the response to a preflight",
		read:    seconds(-time.Second, maxAge, func(o *Options) *time.Duration { return &o.CORS.MaxAge })},
}

// origin is an Origin header (RFC 6454, 6.2) with any scheme. "*." matches one label before the
// host.
var origin = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// readOrigins omits only the invalid origins of a list. The default, which allows all origins, must
// never replace the list.
func readOrigins(o *Options, value string) error {
	var good []string
	var bad error
	for _, item := range items(strings.ToLower(value)) {
		switch {
		case item == "*", origin.MatchString(item):
			good = append(good, item)
		case bad == nil:
			bad = fmt.Errorf("%q is not an origin such as https://shop.test", item)
		}
	}
	if len(good) == 0 && bad == nil {
		bad = fmt.Errorf("%q contains no origin", value)
	}
	o.CORS.Origins = good
	return bad
}
