package controlplane

import (
	"strconv"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// apiService is the virtual address of the Service default/kubernetes: the first of the range.
var apiService = network.Services.Addr().Next()

// nodePorts is the API server's own default, as Services have it on real clusters.
const nodePorts = "30000-32767"

// issuer names who issues tokens of service accounts; kubeadm's choice.
const issuer = "https://kubernetes.default.svc.cluster.local"

func (p *ControlPlane) apiServer() program {
	return program{
		name:      "kube-apiserver",
		limit:     "4GiB",
		complaint: kubernetesComplaint,
		arguments: []string{
			"--etcd-servers=" + etcdURL(etcdPort),
			// One address and not all: every virtual address is the hub's, too, and a Service may have this port.
			"--bind-address=" + network.Hub.String(),
			"--secure-port=" + strconv.Itoa(APIPort),
			"--advertise-address=" + network.Hub.String(),
			"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
			"--client-ca-file=" + p.pki("ca.crt"),
			"--kubelet-certificate-authority=" + p.pki("ca.crt"),
			"--kubelet-client-certificate=" + p.pki("apiserver-kubelet-client.crt"),
			"--kubelet-client-key=" + p.pki("apiserver-kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			// How it passes requests on to aggregated API servers, such as one for metrics, and says whose they are
			// (https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/).
			"--requestheader-client-ca-file=" + p.pki(frontProxyAuthority+".crt"), "--requestheader-allowed-names=" + frontProxyUser,
			"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + p.pki(frontProxyUser+".crt"), "--proxy-client-key-file=" + p.pki(frontProxyUser+".key"),
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged",
			"--service-cluster-ip-range=" + network.Services.String(),
			"--service-node-port-range=" + nodePorts,
			"--service-account-issuer=" + issuer,
			"--service-account-key-file=" + p.pki(accountPublicKey),
			"--service-account-signing-key-file=" + p.pki(accountKey),
			"--profiling=false",
			"--etcd-count-metric-poll-period=0", "--etcd-db-metric-poll-interval=0",
			// Namespaces of labs and scenarios go faster with more hands.
			"--delete-collection-workers=4",
		},
	}
}
