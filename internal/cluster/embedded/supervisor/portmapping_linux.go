package supervisor

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

// portMapping forwards connections from a listener on the machine to an address in the cluster.
type portMapping struct {
	name     string
	listener net.Listener
	// target is an address that the hub can dial.
	target string
}

// Host ports of the Ingress controller on its node (manifests/kind).
const (
	httpPort   = 80
	httpsPort  = 443
	statusPort = 18080
)

// inheritMappings takes over the listeners of the provider.
func inheritMappings() ([]portMapping, error) {
	node := NodeAddress(0).String()
	at := func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	var mappings []portMapping
	for fd, m := range map[uintptr]portMapping{
		apiListener:    {name: "API", target: at(network.Hub.String(), controlplane.APIPort)},
		httpListener:   {name: "HTTP", target: at(node, httpPort)},
		httpsListener:  {name: "HTTPS", target: at(node, httpsPort)},
		statusListener: {name: "status", target: at(node, statusPort)},
	} {
		file := os.NewFile(fd, m.name)
		listener, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("port mapping for %s: %w", m.name, err)
		}
		// The listener is a copy, which children do not inherit. They would inherit file.
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("port mapping for %s: %w", m.name, err)
		}
		m.listener = listener
		mappings = append(mappings, m)
	}
	return mappings, nil
}

// serve relays connections of all port mappings until ctx ends.
func (s *supervisor) serve(ctx context.Context, mappings []portMapping) {
	hub := s.network.Hub()
	for _, m := range mappings {
		go func() {
			dial := func(ctx context.Context, _ net.Addr) (net.Conn, error) { return hub.Dial(ctx, "tcp", m.target) }
			if err := relay.Stream(ctx, m.listener, dial); err != nil {
				s.log("port mapping for %s: %v", m.name, err)
			}
		}()
	}
}
