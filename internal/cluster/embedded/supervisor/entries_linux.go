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

// entry is a way into the cluster: a listener of this machine, and where its connections go.
type entry struct {
	name     string
	listener net.Listener
	// to is an address that the hub can dial.
	to string
}

// Ports of the ingress controller on its node (manifests/kind runs it with these host ports).
const (
	httpPort   = 80
	httpsPort  = 443
	statusPort = 18080
)

// inherit takes over the listeners that the provider opened.
func inherit() ([]entry, error) {
	node := NodeAddress(0).String()
	at := func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	var entries []entry
	for descriptor, e := range map[uintptr]entry{
		apiListener:    {name: "API", to: at(network.Hub.String(), controlplane.APIPort)},
		httpListener:   {name: "HTTP", to: at(node, httpPort)},
		httpsListener:  {name: "HTTPS", to: at(node, httpsPort)},
		statusListener: {name: "status", to: at(node, statusPort)},
	} {
		file := os.NewFile(descriptor, e.name)
		listener, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("port for %s: %w", e.name, err)
		}
		// The listener is a copy that children do not inherit; this one they would.
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("port for %s: %w", e.name, err)
		}
		e.listener = listener
		entries = append(entries, e)
	}
	return entries, nil
}

// serve carries connections until ctx ends.
func (s *supervisor) serve(ctx context.Context, entries []entry) {
	hub := s.network.Hub()
	for _, e := range entries {
		s.background.Go(func() {
			dial := func(ctx context.Context, _ net.Addr) (net.Conn, error) { return hub.Dial(ctx, "tcp", e.to) }
			if err := relay.Stream(ctx, e.listener, dial); err != nil {
				s.log("port for %s: %v", e.name, err)
			}
		})
	}
}
