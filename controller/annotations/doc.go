// Package annotations parses the annotations under nginx.ingress.kubernetes.io/ of an Ingress. It
// is pure: Parse turns a map of strings into typed Options and a list of Diagnostics. The package
// does not import routing.
//
// Start at list.go. One table lists every annotation that the controller knows, its support, and
// the values that change nothing. Its entries are in one file per group, with the functions that
// read their values: cors.go, auth.go, limits.go. blocking.go has the annotations that block a
// route. options.go has the results. template.go has Template, a text with variables. number.go,
// timeout.go, word.go, text.go, and object.go have the readers that several groups share. Parse
// (parse.go) applies the table to the annotations of an Ingress. docs/controller.md is generated
// from the same table.
//
// The controller's ConfigMap has a similar table (settinglist.go, foreignsettings.go).
// ParseSettings (settings.go) applies it. Its Options are the defaults for Parse.
//
// Four rules decide what happens to an annotation that the controller cannot apply:
//
//  1. No annotation is lost silently. An annotation that would have an effect in ingress-nginx and
//     has none here gets a Diagnostic.
//  2. Some annotations need no effect. A value that repeats the default (use-regex "false") gets no
//     Diagnostic. Neither does an option of a feature that is off (session-cookie-name without
//     affinity).
//  3. Security annotations fail closed. An Ingress can request authentication, an address filter,
//     or TLS to its pods. If the controller cannot provide that, it does not serve the Ingress:
//     Options have a Blocked reason, and the routes return 503. Otherwise, the controller would
//     publish a page that its author meant to restrict.
//  4. An annotation cannot inject headers. A text for a header or a URL has no control characters,
//     and a name is a token (RFC 9110, 5.6.2).
//
// The names and meanings are those of ingress-nginx,
// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/.
package annotations
