package supervisor

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/virtual"
)

// startVirtual plays the virtual nodes, should there be any (docs/scale.md). What goes wrong with them is no reason to end.
func (s *supervisor) startVirtual(ctx context.Context) error {
	config, err := s.plane.Admin()
	if err != nil {
		return fmt.Errorf("virtual nodes: %w", err)
	}
	config.QPS = -1 // the API server is its own, on the same machine
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("virtual nodes: %w", err)
	}
	s.background.Go(func() {
		err := virtual.Run(ctx, virtual.Config{
			Client: client, Version: s.Binaries.Version, Listen: s.network.Hub().Listen, Log: s.log,
		})
		if err != nil {
			s.log("virtual nodes: %v", err)
		}
	})
	return nil
}
