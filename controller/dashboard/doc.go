// Package dashboard is the status page: which hosts, rules and pods the controller serves right now, and what is wrong.
// The same facts are served as JSON under /api/v1/ and, in short, as /nginx_status. docs/dashboard.md lists what there is.
//
// Read source.go for where the facts come from, model.go and feature.go for what they become, handler.go for who serves
// them, and overview.go and page.go with assets/page.html for how they look. events.go keeps pages live; question.go and
// explanation.go are about one request: what is asked, and what would become of it. stubstatus.go is /nginx_status.
package dashboard
