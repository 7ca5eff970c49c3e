// Package dashboard is the status page: which hosts, rules and pods the controller serves right now, and what is wrong.
// The same facts are served as JSON under /api/v1/ and, in short, as /nginx_status.
//
// Read model.go for the facts, handler.go for who serves them, and assets/page.html for how they look.
package dashboard
