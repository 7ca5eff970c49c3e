package proxy

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// page is the HTML page of a refusal.
var page = template.Must(template.New("refusal").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Status}} {{.Text}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222}
h1{font-size:1.6em;margin:0 0 .5em}small{color:#666}</style></head>
<body><h1>{{.Status}} {{.Text}}</h1>
{{with .Reason}}<p>{{.}}</p>
{{end}}<small>{{.Server}}, request {{.RequestID}}</small></body></html>
`))

// refuse sends an error response. The client sees the reason only if it concerns the request
// itself, or if the server explains its decisions; otherwise only the operator sees it.
func (s *Server) refuse(x *exchange, r *refusal) {
	x.record.Reason = r.reason
	if x.response.status != 0 {
		return // too late: the header was sent, or the connection was upgraded
	}
	if s.answerErrorPage(x, r) {
		return
	}
	h := x.response.Header()
	s.setOwnHeader(h, x, r.status)
	for name, values := range r.header {
		h[name] = values
	}
	if r.closeConn {
		h.Set("Connection", "close")
	}
	if r.status == http.StatusMethodNotAllowed {
		h.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") // RFC 9110, 15.5.6
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	reason := ""
	if r.clientError || s.explain {
		reason = r.reason
	}
	writePage(x, r.status, reason)
}

func writePage(x *exchange, status int, reason string) {
	text := http.StatusText(status)
	if status == statusClientGone {
		text = "Client Closed Request"
	}
	h := x.response.Header()
	if strings.Contains(x.request.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		x.response.WriteHeader(status)
		_ = page.Execute(&x.response, map[string]any{ // an error means that the client disconnected
			"Status": status, "Text": text, "Reason": reason, "Server": serverName, "RequestID": x.record.RequestID,
		})
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	x.response.WriteHeader(status)
	if reason != "" {
		reason += "\n"
	}
	_, _ = fmt.Fprintf(&x.response, "%d %s\n%srequest %s\n", status, text, reason, x.record.RequestID) // fails only if the client disconnected
}

// The header fields that explain a decision. The proxy removes an endpoint's fields of these names.
const (
	headerReason   = "X-Ingresslab-Reason"
	headerIngress  = "X-Ingresslab-Ingress"
	headerRule     = "X-Ingresslab-Rule"
	headerService  = "X-Ingresslab-Service"
	headerEndpoint = "X-Ingresslab-Endpoint"
	headerPod      = "X-Ingresslab-Pod"
)

// explainTo adds the matched rule, the endpoint, and the reason to the response header.
func (s *Server) explainTo(h http.Header, x *exchange) {
	if !s.explain {
		return
	}
	reason := x.record.Reason
	if reason == "" {
		reason = x.decision.Reason
	}
	for name, value := range map[string]string{
		headerReason:   reason,
		headerIngress:  x.record.Ingress,
		headerRule:     x.record.Rule,
		headerService:  x.record.Service,
		headerEndpoint: x.record.Endpoint,
		headerPod:      x.record.Pod,
	} {
		if h.Del(name); value != "" {
			h.Set(name, oneLine(value))
		}
	}
}

// oneLine replaces control characters, so that a value stays in its header field: reasons quote
// requests and manifests.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
