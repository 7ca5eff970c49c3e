// Package annotations reads what people write under nginx.ingress.kubernetes.io/ on their Ingresses. It is pure:
// a map of strings goes in, typed Options and a list of Diagnostics come out, and the package knows nothing of routes.
//
// Start at list.go: one table holds every annotation that the controller knows, whether it acts on it, and which values
// ask for nothing. Its entries are in one file per group, each with the functions that read its values: cors.go,
// auth.go, limits.go; closing.go has those that close a route. What they become is in options.go; a text with variables
// is a Template (template.go). What several groups read (numbers, times, words, texts, objects) is in number.go,
// timeout.go, word.go, text.go and object.go. Parse (parse.go) does no more than walk an Ingress's annotations through
// the table, so the table is at the same time the implementation and the documentation: docs/controller.md is made of
// it.
//
// The controller's ConfigMap has a table of the same kind (settinglist.go, foreignsettings.go), and ParseSettings
// (settings.go) walks through that. What it says is what Parse starts from.
//
// Four rules decide what happens to an annotation that the controller cannot honor:
//
//  1. Nothing is silently lost. Whatever would have had an effect in ingress-nginx and has none here is a Diagnostic.
//  2. Doing nothing is sometimes right. A value that only repeats the default (use-regex "false"), and an option of a
//     feature that is not switched on (session-cookie-name without affinity), are no diagnostics.
//  3. Protection fails closed. An Ingress that asks for authentication, an address filter, or an encrypted way to its
//     pods, and cannot have it, must not be served without: its Options carry a Closed reason, and its routes answer with
//     a 503. The alternative is to publish a page that its author meant to hide.
//  4. Nobody writes headers through an annotation. A text that gets into a header or a URL has no control characters, and
//     a name is a token (RFC 9110, 5.6.2).
//
// The names and their meanings are those of ingress-nginx,
// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/.
package annotations
