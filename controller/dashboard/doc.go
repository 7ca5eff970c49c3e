// Package dashboard serves the status page: the hosts, rules, and pods that the controller serves,
// and the Problems of objects. The same data is available as JSON under /api/v1/, and /nginx_status
// has a summary. docs/dashboard.md lists the URLs.
//
// Read source.go for the input, model.go and feature.go for the data of the page, handler.go for
// the URLs, and overview.go and page.go with assets/page.html for the HTML. events.go updates open
// pages. request.go and explanation.go explain a request. stubstatus.go serves /nginx_status.
package dashboard
