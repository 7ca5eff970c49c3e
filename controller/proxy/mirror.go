package proxy

// mirror sends a copy of the request elsewhere (Policy.Mirror). It never answers the request.
func (s *Server) mirror(x *exchange) (done bool) {
	return false // TODO(contract)
}
