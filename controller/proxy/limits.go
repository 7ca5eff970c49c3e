package proxy

// applyLimits refuses a client that is beyond the limits of the route (Decision.Limit).
func (s *Server) applyLimits(x *exchange) (done bool) {
	return false // TODO(contract)
}
