package proxy

// checkBody refuses a body that is too large, now or while it is being read (Policy.Proxy.BodySize).
func (s *Server) checkBody(x *exchange) (done bool) {
	return false // TODO(contract)
}
