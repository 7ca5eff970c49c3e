package dashboard

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// Explanation is what would become of a request, and why.
type Explanation struct {
	// Status is the status of a refusal; 0 when the request would be forwarded to Service.
	Status     int         `json:"status,omitempty"`
	Service    string      `json:"service,omitempty"`
	Reason     string      `json:"reason"`
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a rule that was considered.
type Candidate struct {
	Ingress  string `json:"ingress,omitempty"`
	Field    string `json:"field,omitempty"`
	Host     string `json:"host,omitempty"`
	Path     string `json:"path,omitempty"`
	PathType string `json:"pathType,omitempty"`
	Won      bool   `json:"won"`
	Why      string `json:"why"`
}

// explain asks the table what it would do with a GET of the URL, which needs a scheme and a host.
func (s Source) explain(raw string) (*Explanation, error) {
	target, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, fmt.Errorf("url: %q is not like http://shop.test/path", raw)
	}
	path := target.EscapedPath()
	if path == "" {
		path = "/"
	}
	decision, candidates := s.Table().Explain(routing.Request{
		Method: http.MethodGet, Host: target.Host, Path: path, Header: http.Header{}, TLS: target.Scheme == "https",
	})
	result := &Explanation{Status: decision.Status, Reason: decision.Reason, Candidates: []Candidate{}}
	if decision.Pool != nil {
		result.Service = decision.Pool.Key()
	}
	for _, c := range candidates {
		result.Candidates = append(result.Candidates, candidateView(c))
	}
	return result, nil
}

func candidateView(c routing.Candidate) Candidate {
	view := Candidate{Won: c.Won, Why: c.Why}
	if c.Route != nil {
		view.Field, view.Host, view.Path, view.PathType = c.Route.Field, c.Route.Host, c.Route.Path, string(c.Route.PathType)
		if c.Route.Ingress.Name != "" {
			view.Ingress = c.Route.Ingress.String()
		}
	}
	return view
}
