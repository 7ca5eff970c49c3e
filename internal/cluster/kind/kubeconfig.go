package kind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"k8s.io/client-go/tools/clientcmd"
)

// kindLibrary returns kind's own provider, for the parts of it that neither
// create nor wait.
func kindLibrary() *kindcluster.Provider {
	return kindcluster.NewProvider(kindcluster.ProviderWithDocker())
}

// ensureKubeconfig makes sure that the private kubeconfig is there, only for
// its owner to read: it is as good as root on every node.
func (p *Provider) ensureKubeconfig(name string) error {
	path := p.store.kubeconfig(name)
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
	path := userKubeconfig()
	if path == p.store.kubeconfig(name) {
		return nil // KUBECONFIG already names the private file
	}
	if err := p.exportKubeconfig(name, path); err != nil {
		return fmt.Errorf("--merge-kubeconfig: %s: %w", path, err)
	}
	rec.MergedInto = path
	return p.store.save(name, rec)
}

// unmerge takes the context out of the user's kubeconfig again.
func (p *Provider) unmerge(name string, rec *record) error {
	if rec == nil || rec.MergedInto == "" {
		return nil
	}
	if err := removeContext(rec.MergedInto, "kind-"+name); err != nil {
		return fmt.Errorf("take cluster %q out of %s: %w", name, rec.MergedInto, err)
	}
	return nil
}

// removeContext removes a context, and the cluster and user of the same name,
// from a kubeconfig file. kind gives all three the one name.
func removeContext(path, context string) error {
	cfg, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	delete(cfg.Contexts, context)
	delete(cfg.Clusters, context)
	delete(cfg.AuthInfos, context)
	if cfg.CurrentContext == context {
		cfg.CurrentContext = ""
	}
	return clientcmd.WriteToFile(*cfg, path)
}

// userKubeconfig is the file that kubectl would write to
// (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
func userKubeconfig() string {
	return clientcmd.NewDefaultPathOptions().GetDefaultFilename()
}
