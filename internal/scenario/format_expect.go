package scenario

// Expect is one request, and what its answer has to be.
type Expect struct {
	// An absolute http or https URL. Hosts under .test belong to this run alone: shop.test becomes shop.RUN.test in
	// here and in the Ingresses.
	URL string `yaml:"url" jsonschema:"required,pattern=^https?://"`
	// The request's method, GET if not given.
	Method string `yaml:"method,omitempty"`
	// The request's headers.
	Header map[string]string `yaml:"header,omitempty"`
	// The request's body.
	Body string `yaml:"body,omitempty"`
	// Name of a session: cookies are kept from one step of a session to the next, as a browser does.
	Session string `yaml:"session,omitempty"`
	// Name of a running pod that has the net-test program, from which the request is sent, instead of from this machine. The
	// names of Services resolve there.
	From string `yaml:"from,omitempty"`
	// Where to connect to, instead of where the URL leads: pod/NAME:PORT, service/NAME:PORT, node/NAME:PORT, node:PORT (every node,
	// one after the other), controller:PORT (every pod of the controller). Goes with from.
	ConnectTo string `yaml:"connectTo,omitempty"`
	// Name of the client whose certificate, made by an earlier step, is presented.
	ClientCertificate string `yaml:"clientCertificate,omitempty"`
	// Take redirects, and expect the last answer.
	Follow bool `yaml:"follow,omitempty"`
	// The answer's status.
	Status int `yaml:"status,omitempty" jsonschema:"minimum=100,maximum=599"`
	// The answer's headers: * in a value stands for any text, an empty value means that the header must be absent.
	ResponseHeader map[string]string `yaml:"responseHeader,omitempty"`
	// Pieces of text that the answer's body contains.
	Contains Strings `yaml:"contains,omitempty"`
	// Name of the Service that has the pod that answered as an endpoint.
	Service string `yaml:"service,omitempty"`
	// Name of the demo application that answered, such as cheddar.
	App string `yaml:"app,omitempty"`
	// Name of the pod that answered.
	Pod string `yaml:"pod,omitempty"`
	// Whether the answer has to come from the pod that answered the session's last step, or from another one.
	SamePod *bool `yaml:"samePod,omitempty"`
	// How long the answer may take to arrive at most.
	Latency Duration `yaml:"latency,omitempty"`
	// The certificate that the TLS handshake showed.
	Certificate *ShownCertificate `yaml:"certificate,omitempty"`
	// The request that a demo workload received, for requests to /echo.
	Received *Received `yaml:"received,omitempty"`
	// How long the answer may take to become as expected, 30s if not given.
	Within Duration `yaml:"within,omitempty"`
}

// ShownCertificate is what the certificate of a TLS handshake has to be. At least one field is given.
type ShownCertificate struct {
	// Name of the Secret that holds the certificate.
	Secret string `yaml:"secret,omitempty"`
	// All DNS names in it, in any order.
	Names Strings `yaml:"names,omitempty"`
}

// Received is what a request has to look like to the workload that it was passed on to.
type Received struct {
	// The request's method.
	Method string `yaml:"method,omitempty"`
	// The path as it stood in the request line, neither decoded nor cleaned.
	Path string `yaml:"path,omitempty"`
	// What followed the first question mark.
	Query string `yaml:"query,omitempty"`
	// The Host header.
	Host string `yaml:"host,omitempty"`
	// HTTP/1.1 or HTTP/2.0.
	Protocol string `yaml:"protocol,omitempty"`
	// Whether the request came over TLS.
	TLS *bool `yaml:"tls,omitempty"`
	// The request's body.
	Body string `yaml:"body,omitempty"`
	// Headers: * in a value stands for any text, an empty value means that the header must be absent.
	Header map[string]string `yaml:"header,omitempty"`
}
