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

// loadKubeconfig reads the file at path, or the user's kubeconfig if path is empty.
func loadKubeconfig(path string) (*clientcmdapi.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	cfg, err := rules.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &cluster.SpecError{Flag: "--kubeconfig", Why: path + " not found"}
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return cfg, nil
}

// listContexts completes a sentence with the contexts of a kubeconfig.
func listContexts(path string) string {
	cfg, err := loadKubeconfig(path)
	if err != nil || len(cfg.Contexts) == 0 {
		return "; it has no context"
	}
	return ": " + strings.Join(slices.Sorted(maps.Keys(cfg.Contexts)), ", ")
}

// copyContext copies the context to a kubeconfig of the cluster's own, where labs set the
// namespace. It returns the address of the API server.
func (p *provider) copyContext(name string) (server string, err error) {
	cfg, err := loadKubeconfig(p.options.Kubeconfig)
	if err != nil {
		return "", err
	}
	chosen := cfg.Contexts[p.options.Context]
	if chosen == nil {
		why := fmt.Sprintf("context %q not found%s", p.options.Context, listContexts(p.options.Kubeconfig))
		return "", &cluster.SpecError{Flag: "--context", Why: why}
	}
	target := cfg.Clusters[chosen.Cluster]
	if target == nil {
		why := fmt.Sprintf("context %q refers to cluster %q, which the kubeconfig does not contain", p.options.Context, chosen.Cluster)
		return "", &cluster.SpecError{Flag: "--context", Why: why}
	}
	own := cfg.DeepCopy()
	own.CurrentContext = p.options.Context
	if err = clientcmdapi.MinifyConfig(own); err == nil {
		err = clientcmdapi.FlattenConfig(own)
	}
	if err != nil {
		return "", fmt.Errorf("context %q: %w", p.options.Context, err)
	}
	if err = os.MkdirAll(p.store.ClusterDir(name), 0o700); err == nil {
		err = clientcmd.WriteToFile(*own, p.store.Kubeconfig(name))
	}
	if err != nil {
		return "", fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return target.Server, nil
}

// isLocal reports whether an API server is local, like those of kind, k3d, and Docker Desktop. Even
// a private address can belong to a company.
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

// checkArchitecture returns an error if no node has the processor of this machine's images.
func checkArchitecture(nodes []corev1.Node) error {
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
	return fmt.Errorf("its nodes are %s, but the images are built for linux/%s", strings.Join(others, ", "), runtime.GOARCH)
}
