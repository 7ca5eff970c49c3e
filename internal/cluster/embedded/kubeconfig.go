package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
)

// contextName names the context of a cluster, and its cluster and user.
func contextName(name string) string { return Name + "-" + name }

// ensureKubeconfig makes sure that the cluster's kubeconfig is there and leads to it. What the user chose in it, such as the
// namespace, stays.
func (p *Provider) ensureKubeconfig(name string, rec *record) error {
	path, server := p.store.Kubeconfig(name), fmt.Sprintf("https://%s:%d", loopback, rec.APIPort)
	cfg, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		authority, err := controlplane.OpenAuthority(controlplane.PKIDir(p.store.ClusterDir(name)))
		if err != nil {
			return err
		}
		return controlplane.WriteKubeconfig(authority, path, contextName(name), server)
	}
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	if c := cfg.Clusters[contextName(name)]; c != nil && c.Server != server {
		c.Server = server
		if err := clientcmd.WriteToFile(*cfg, path); err != nil {
			return fmt.Errorf("kubeconfig %s: %w", path, err)
		}
		if rec.MergedInto != "" {
			return cluster.MergeKubeconfig(path, rec.MergedInto)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return nil
}

// merge writes the cluster's context into the user's kubeconfig and makes it the current one.
func (p *Provider) merge(name string, rec *record) error {
	path := cluster.UserKubeconfig()
	if path == p.store.Kubeconfig(name) {
		return nil // KUBECONFIG already names the private file
	}
	if err := cluster.MergeKubeconfig(p.store.Kubeconfig(name), path); err != nil {
		return fmt.Errorf("--merge-kubeconfig: %w", err)
	}
	rec.MergedInto = path
	return p.store.Save(name, rec)
}

// unmerge takes the context out of the user's kubeconfig again.
func (p *Provider) unmerge(name string, rec *record) error {
	if rec == nil || rec.MergedInto == "" {
		return nil
	}
	if err := cluster.RemoveContext(rec.MergedInto, contextName(name)); err != nil {
		return fmt.Errorf("take cluster %q out of %s: %w", name, rec.MergedInto, err)
	}
	return nil
}
