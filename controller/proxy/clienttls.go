package proxy

// askCertificate refuses a client whose certificate its host wants and does not get (Decision.ClientTLS).
func (s *Server) askCertificate(x *exchange) (done bool) {
	return false // TODO(contract)
}
