package proxy

// authenticate asks who the client is (Decision.BasicAuth, Decision.ExternalAuth).
func (s *Server) authenticate(x *exchange) (done bool) {
	return false // TODO(contract)
}
