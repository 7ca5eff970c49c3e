package existing

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// loadKubeconfig reads the user's kubeconfig, or the file that is named.
func loadKubeconfig(path string) (*clientcmdapi.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	cfg, err := rules.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &cluster.SpecError{Flag: "--kubeconfig", Why: fmt.Sprintf("there is no file %s", path)}
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return cfg, nil
}

// listContexts completes a sentence with the contexts there are.
func listContexts(path string) string {
	cfg, err := loadKubeconfig(path)
	if err != nil || len(cfg.Contexts) == 0 {
		return "; it has none"
	}
	return ": " + strings.Join(slices.Sorted(maps.Keys(cfg.Contexts)), ", ")
}

// copyContext writes a kubeconfig of the cluster's own, with the one context and everything it needs in the file, and returns
// the address of the API server. The namespace of labs is set in it, and the user's stays as it is.
func (p *Provider) copyContext(name string) (server string, err error) {
	cfg, err := loadKubeconfig(p.options.Kubeconfig)
	if err != nil {
		return "", err
	}
	chosen := cfg.Contexts[p.options.Context]
	if chosen == nil {
		return "", &cluster.SpecError{Flag: "--context", Why: fmt.Sprintf("there is no context %q%s", p.options.Context, listContexts(p.options.Kubeconfig))}
	}
	target := cfg.Clusters[chosen.Cluster]
	if target == nil {
		return "", &cluster.SpecError{Flag: "--context", Why: fmt.Sprintf("context %q names the cluster %q, which the kubeconfig has not", p.options.Context, chosen.Cluster)}
	}
	own := cfg.DeepCopy()
	own.CurrentContext = p.options.Context
	if err := clientcmdapi.MinifyConfig(own); err != nil {
		return "", fmt.Errorf("context %q: %w", p.options.Context, err)
	}
	if err := clientcmdapi.FlattenConfig(own); err != nil {
		return "", fmt.Errorf("context %q: %w", p.options.Context, err)
	}
	if err := os.MkdirAll(p.store.ClusterDir(name), 0o700); err != nil {
		return "", fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	if err := clientcmd.WriteToFile(*own, p.store.Kubeconfig(name)); err != nil {
		return "", fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return target.Server, nil
}

// isLocal tells whether an API server is this machine, as those of kind, k3d, minikube's docker driver on macOS and Docker
// Desktop are. Any other address, private ones too, may be a company's.
func isLocal(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	host := u.Hostname()
	switch host {
	case "localhost", "kubernetes.docker.internal", "host.docker.internal":
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) || strings.HasSuffix(host, ".localhost")
}

// fits returns an error if no node can run the lab's images, which are built for this machine's processor.
func fits(nodes []corev1.Node) error {
	var others []string
	for _, n := range nodes {
		has := n.Status.NodeInfo.OperatingSystem + "/" + n.Status.NodeInfo.Architecture
		if has == "linux/"+runtime.GOARCH {
			return nil
		}
		if !slices.Contains(others, has) {
			others = append(others, has)
		}
	}
	return fmt.Errorf("its nodes are %s, and the images are built for linux/%s", strings.Join(others, ", "), runtime.GOARCH)
}
