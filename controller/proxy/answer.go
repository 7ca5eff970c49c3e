package proxy

import "github.com/ingresslab/ingresslab/controller/routing"

// answerDecision gives the answers that need no endpoint: refusals, redirects, preflights.
func (s *Server) answerDecision(x *exchange) (done bool) {
	switch x.decision.Action {
	case routing.Forward:
		return false
	default: // TODO(contract): Redirect, Preflight
		s.refuse(x, &refusal{status: x.decision.Status, reason: x.decision.Reason})
		return true
	}
}
