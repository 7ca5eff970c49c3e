package controlplane

// controllers are all but those that need a cloud's or a disk's plug-in on the other side, and whose absence nobody can see.
const controllers = "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller," +
	"-persistentvolume-attach-detach-controller,-persistentvolume-expander-controller"

func (p *ControlPlane) controllerManager() program {
	return program{
		name:      "kube-controller-manager",
		limit:     "1GiB",
		complaint: kubernetesComplaint,
		arguments: []string{
			"--kubeconfig=" + p.kubeconfig("controller-manager"),
			"--service-account-private-key-file=" + p.pki(accountKey),
			"--root-ca-file=" + p.pki("ca.crt"),
			"--cluster-signing-cert-file=" + p.pki("ca.crt"), "--cluster-signing-key-file=" + p.pki("ca.key"),
			"--use-service-account-credentials",
			"--controllers=" + controllers,
			"--leader-elect=false",
			// Its own pages of health and metrics would need certificates, and nobody reads them.
			"--secure-port=0",
			"--profiling=false",
			// The API server is its own, on the same machine; the defaults are for one that many share.
			"--kube-api-qps=500", "--kube-api-burst=1000",
		},
	}
}

func (p *ControlPlane) scheduler() program {
	return program{
		name:      "kube-scheduler",
		limit:     "1GiB",
		complaint: kubernetesComplaint,
		arguments: []string{
			"--kubeconfig=" + p.kubeconfig("scheduler"),
			"--leader-elect=false",
			"--secure-port=0",
			"--profiling=false",
			"--kube-api-qps=500", "--kube-api-burst=1000",
		},
	}
}
