package controlplane

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	// etcdPort and etcdPeerPort are ports on the hub's loopback address, which only the supervisor
	// and the control plane can reach. They use no TLS: a process that could read them is already
	// root there.
	etcdPort     = 2379
	etcdPeerPort = 2380
	// etcdQuota limits the database to 4 GiB: tens of thousands of objects and their history.
	etcdQuota = 4 << 30
	// nodePorts is the API server's default range.
	nodePorts = "30000-32767"
	// issuer is the issuer of service account tokens, as in kubeadm.
	issuer = "https://kubernetes.default.svc.cluster.local"
	// controllers excludes controllers for clouds and volumes, which would have no effect.
	controllers = "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller," +
		"-persistentvolume-attach-detach-controller,-persistentvolume-expander-controller"
)

// kubernetesService is the cluster IP of the Service default/kubernetes: the first of the range.
var kubernetesService = network.Services.Addr().Next()

func etcdURL(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

func (p *ControlPlane) etcd() component {
	data := filepath.Join(p.config.Dir, "etcd")
	_, err := os.Stat(filepath.Join(data, "member"))
	return component{
		name:         "etcd",
		hadData:      !errors.Is(err, fs.ErrNotExist),
		memoryLimit:  "2GiB",
		fatalMessage: etcdFatalMessage,
		arguments: []string{
			"--name=embedded", "--data-dir=" + data,
			"--listen-client-urls=" + etcdURL(etcdPort), "--advertise-client-urls=" + etcdURL(etcdPort),
			"--listen-peer-urls=" + etcdURL(etcdPeerPort), "--initial-advertise-peer-urls=" + etcdURL(etcdPeerPort),
			"--initial-cluster=embedded=" + etcdURL(etcdPeerPort),
			// A lab can lose data in a power failure, and fsync is slow on a laptop's disk.
			"--unsafe-no-fsync",
			// etcd serves nothing before the leader election, which has only one candidate.
			"--heartbeat-interval=50", "--election-timeout=250",
			"--snapshot-count=10000", "--max-snapshots=1", "--max-wals=1",
			"--quota-backend-bytes=" + strconv.Itoa(etcdQuota),
			"--log-level=warn", "--logger=zap",
		},
	}
}

func (p *ControlPlane) apiServer() component {
	return component{
		name:         "kube-apiserver",
		memoryLimit:  "4GiB",
		fatalMessage: kubernetesFatalMessage,
		arguments: []string{
			"--etcd-servers=" + etcdURL(etcdPort),
			// Not 0.0.0.0: the hub also has every cluster IP, and a Service might use this port.
			"--bind-address=" + network.Hub.String(),
			"--secure-port=" + strconv.Itoa(APIPort),
			"--advertise-address=" + network.Hub.String(),
			"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
			"--client-ca-file=" + p.pki("ca.crt"),
			"--kubelet-certificate-authority=" + p.pki("ca.crt"),
			"--kubelet-client-certificate=" + p.pki("apiserver-kubelet-client.crt"),
			"--kubelet-client-key=" + p.pki("apiserver-kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			// The aggregation layer: forward requests to extension API servers, with the user's
			// name
			// (https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/).
			"--requestheader-client-ca-file=" + p.pki(frontProxyCA+".crt"), "--requestheader-allowed-names=" + frontProxyUser,
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
			// More workers delete the namespaces of labs and scenarios faster.
			"--delete-collection-workers=4",
		},
	}
}

func (p *ControlPlane) controllerManager() component {
	return component{
		name:         "kube-controller-manager",
		memoryLimit:  "1GiB",
		fatalMessage: kubernetesFatalMessage,
		arguments: append([]string{
			"--kubeconfig=" + p.kubeconfig("controller-manager"),
			"--service-account-private-key-file=" + p.pki(accountKey),
			"--root-ca-file=" + p.pki("ca.crt"),
			"--cluster-signing-cert-file=" + p.pki("ca.crt"), "--cluster-signing-key-file=" + p.pki("ca.key"),
			"--use-service-account-credentials",
			"--controllers=" + controllers,
		}, p.clientArguments()...),
	}
}

func (p *ControlPlane) scheduler() component {
	return component{
		name:         "kube-scheduler",
		memoryLimit:  "1GiB",
		fatalMessage: kubernetesFatalMessage,
		arguments:    append([]string{"--kubeconfig=" + p.kubeconfig("scheduler")}, p.clientArguments()...),
	}
}

// clientArguments are the common arguments of the controller manager and the scheduler. Their
// health endpoint for `kubectl get componentstatuses` is on the hub's loopback address. It uses the
// API server's certificate, because generating another one slows down the start.
func (p *ControlPlane) clientArguments() []string {
	return []string{
		"--leader-elect=false",
		"--profiling=false",
		// The default limits are for an API server with many clients.
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--bind-address=127.0.0.1",
		"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
	}
}
