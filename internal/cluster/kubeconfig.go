package cluster

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
)

// UseNamespace makes namespace the one that kubectl works in with the
// cluster's own kubeconfig, as `kubectl config set-context --current
// --namespace` does. The user's kubeconfig is not touched.
func (c *Cluster) UseNamespace(namespace string) error {
	cfg, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", c.Kubeconfig, err)
	}
	current := cfg.Contexts[cfg.CurrentContext]
	if current == nil {
		return fmt.Errorf("kubeconfig %s: its current context %q is not there", c.Kubeconfig, cfg.CurrentContext)
	}
	if current.Namespace == namespace {
		return nil
	}
	current.Namespace = namespace
	if err := clientcmd.WriteToFile(*cfg, c.Kubeconfig); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", c.Kubeconfig, err)
	}
	return nil
}
