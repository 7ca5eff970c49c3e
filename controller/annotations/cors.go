package annotations

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// cors lists which pages of other origins may use the route.
var cors = []Entry{
	{Name: "enable-cors", Group: "CORS", Support: Supported, Values: "true, false", Default: "false",
		Note: "answers preflights, and sends the headers that let pages of other origins use the route", read: boolean(func(o *Options) *bool { return &o.CORS.Enabled })},
	{Name: "cors-allow-origin", Group: "CORS", Support: Supported, With: "enable-cors", Values: "*, or origins as in https://shop.test or https://*.shop.test:8443, separated by commas",
		Default: "*", Otherwise: "it is left out", Note: "who may", read: readOrigins},
	{Name: "cors-allow-methods", Group: "CORS", Support: Supported, With: "enable-cors", Values: "methods, separated by commas", Default: "GET, PUT, POST, DELETE, PATCH, OPTIONS",
		Note: "with which methods", read: tokenList(func(o *Options) *string { return &o.CORS.Methods })},
	{Name: "cors-allow-headers", Group: "CORS", Support: Supported, With: "enable-cors", Values: "names of headers, separated by commas",
		Default: "DNT, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Range, Authorization",
		Note:    "with which request headers", read: tokenList(func(o *Options) *string { return &o.CORS.Headers })},
	{Name: "cors-allow-credentials", Group: "CORS", Support: Supported, With: "enable-cors", Values: "true, false", Default: "true",
		Note: "with cookies and passwords", read: boolean(func(o *Options) *bool { return &o.CORS.Credentials })},
	{Name: "cors-expose-headers", Group: "CORS", Support: Supported, With: "enable-cors", Values: "names of headers, separated by commas",
		Note: "response headers that scripts see", read: tokenList(func(o *Options) *string { return &o.CORS.Expose })},
	{Name: "cors-max-age", Group: "CORS", Support: Supported, With: "enable-cors", Values: "seconds; -1 is not at all", Default: "1728000",
		Note: "how long browsers remember the answer to a preflight", read: seconds(-time.Second, maxAge, func(o *Options) *time.Duration { return &o.CORS.MaxAge })},
}

// origin is what a browser may send as Origin (RFC 6454, 6.2), with any scheme, and "*." for one label in front of the host.
var origin = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// readOrigins leaves out what it cannot read, and only that. The default, everybody, must never take the place of a few.
func readOrigins(o *Options, value string) error {
	var good []string
	var bad error
	for _, item := range items(strings.ToLower(value)) {
		switch {
		case item == "*", origin.MatchString(item):
			good = append(good, item)
		case bad == nil:
			bad = fmt.Errorf("%q is not an origin, as in https://shop.test", item)
		}
	}
	if len(good) == 0 && bad == nil {
		bad = fmt.Errorf("%q has no origin in it", value)
	}
	o.CORS.Origins = good
	return bad
}
