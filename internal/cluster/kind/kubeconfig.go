package kind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// kindLibrary returns kind's own provider, for the parts of it that neither
// create nor wait.
func kindLibrary() *kindcluster.Provider {
	return kindcluster.NewProvider(kindcluster.ProviderWithDocker())
}

// ensureKubeconfig makes sure that the private kubeconfig is there, only for
// its owner to read: it is as good as root on every node.
func (p *Provider) ensureKubeconfig(name string) error {
	path := p.store.Kubeconfig(name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := p.exportKubeconfig(name, path); err != nil {
			return fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return nil
}

// exportKubeconfig asks the control plane's container for the kubeconfig.
func exportKubeconfig(name, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return kindLibrary().ExportKubeConfig(name, path, false)
}

// merge writes the cluster's context into the user's kubeconfig and makes it
// the current one, as `kind create cluster` would have done.
func (p *Provider) merge(name string, rec *record) error {
	path := cluster.UserKubeconfig()
	if path == p.store.Kubeconfig(name) {
		return nil // KUBECONFIG already names the private file
	}
	if err := p.exportKubeconfig(name, path); err != nil {
		return fmt.Errorf("--merge-kubeconfig: %s: %w", path, err)
	}
	rec.MergedInto = path
	return p.store.Save(name, rec)
}

// unmerge takes the context out of the user's kubeconfig again.
func (p *Provider) unmerge(name string, rec *record) error {
	if rec == nil || rec.MergedInto == "" {
		return nil
	}
	if err := cluster.RemoveContext(rec.MergedInto, "kind-"+name); err != nil {
		return fmt.Errorf("take cluster %q out of %s: %w", name, rec.MergedInto, err)
	}
	return nil
}
