package controlplane

// controllers are all but those that need a cloud's or a disk's plug-in on the other side, and whose absence nobody can see.
const controllers = "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller," +
	"-persistentvolume-attach-detach-controller,-persistentvolume-expander-controller"

func (p *ControlPlane) controllerManager() program {
	return program{
		name:      "kube-controller-manager",
		limit:     "1GiB",
		complaint: kubernetesComplaint,
		arguments: append([]string{
			"--kubeconfig=" + p.kubeconfig("controller-manager"),
			"--service-account-private-key-file=" + p.pki(accountKey),
			"--root-ca-file=" + p.pki("ca.crt"),
			"--cluster-signing-cert-file=" + p.pki("ca.crt"), "--cluster-signing-key-file=" + p.pki("ca.key"),
			"--use-service-account-credentials",
			"--controllers=" + controllers,
			"--leader-elect=false",
			"--profiling=false",
			// The API server is its own, on the same machine; the defaults are for one that many share.
			"--kube-api-qps=500", "--kube-api-burst=1000",
		}, p.health()...),
	}
}

// health is the port at which a program says that it is healthy, which `kubectl get componentstatuses` asks for on the
// hub's loopback address. The certificate is the API server's: to make one of its own would cost each start a moment.
func (p *ControlPlane) health() []string {
	return []string{
		"--bind-address=127.0.0.1",
		"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
	}
}

func (p *ControlPlane) scheduler() program {
	return program{
		name:      "kube-scheduler",
		limit:     "1GiB",
		complaint: kubernetesComplaint,
		arguments: append([]string{
			"--kubeconfig=" + p.kubeconfig("scheduler"),
			"--leader-elect=false",
			"--profiling=false",
			"--kube-api-qps=500", "--kube-api-burst=1000",
		}, p.health()...),
	}
}
