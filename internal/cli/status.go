package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// clusterStatus is what `ingresslab status` tells.
type clusterStatus struct {
	Cluster    string           `json:"cluster"`
	Provider   string           `json:"provider"`
	Kubeconfig string           `json:"kubeconfig"`
	HTTP       string           `json:"http"`
	HTTPS      string           `json:"https"`
	StatusPage string           `json:"statusPage"`
	Nodes      []nodeStatus     `json:"nodes"`
	Controller controllerStatus `json:"controller"`
	// Lacks is what the cluster cannot do, with the reason; scenarios that require it are skipped.
	Lacks cluster.Capabilities `json:"lacks,omitempty"`
}

type nodeStatus struct {
	Name    string `json:"name"`
	Role    string `json:"role"`
	Ready   bool   `json:"ready"`
	Version string `json:"version"`
	Address string `json:"address"`
}

// controllerStatus is the state of the controller's workload.
type controllerStatus struct {
	Image string `json:"image,omitempty"`
	Ready int32  `json:"ready"`
	Want  int32  `json:"want"`
}

func (a *app) statusCommand() *cobra.Command {
	var output string
	var all bool
	c := &cobra.Command{
		Use:     "status",
		Short:   "Show the cluster, its nodes, its addresses and the controller",
		Example: "  ingresslab status -o json\n  ingresslab status --all",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output, outputPretty, outputJSON); err != nil {
				return err
			}
			if all {
				return a.listClusters(c.Context(), output)
			}
			_, up, err := a.cluster(c.Context())
			if err != nil {
				return err
			}
			st, err := readStatus(c.Context(), up)
			if err != nil {
				return err
			}
			if output == outputJSON {
				enc := json.NewEncoder(a.std.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(st)
			}
			return a.printStatus(up, st)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", outputPretty, "how to print it: pretty or json")
	c.Flags().BoolVar(&all, "all", false, "list every cluster of this machine that the lab made")
	return c
}

func readStatus(ctx context.Context, c *cluster.Cluster) (*clusterStatus, error) {
	client, err := kube.New(c.Config)
	if err != nil {
		return nil, err
	}
	st := &clusterStatus{
		Cluster: c.Name, Provider: c.Provider, Kubeconfig: c.Kubeconfig,
		HTTP: pageAt("http", c.Addresses.HTTP), HTTPS: pageAt("https", c.Addresses.HTTPS), StatusPage: pageAt("http", c.Addresses.Status),
		Lacks: c.Capabilities,
	}
	nodes, err := client.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	for _, n := range nodes.Items {
		st.Nodes = append(st.Nodes, statusOfNode(n))
	}
	if st.Controller, err = readController(ctx, client); err != nil {
		return nil, err
	}
	return st, nil
}

// pageAt is the address of a page; empty if there is none.
func pageAt(scheme, address string) string {
	if address == "" {
		return ""
	}
	return scheme + "://" + address + "/"
}

// readController looks for the controller as a DaemonSet, as in clusters of the lab's own, and as a Deployment. It is zero if
// there is neither.
func readController(ctx context.Context, client *kube.Client) (controllerStatus, error) {
	sets, err := client.Clientset().AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		LabelSelector: controllerSelector,
	})
	if err != nil {
		return controllerStatus{}, fmt.Errorf("controller: %w", err)
	}
	for _, d := range sets.Items {
		return controllerStatus{d.Spec.Template.Spec.Containers[0].Image, d.Status.NumberReady, d.Status.DesiredNumberScheduled}, nil
	}
	deployments, err := client.Clientset().AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		LabelSelector: controllerSelector,
	})
	if err != nil {
		return controllerStatus{}, fmt.Errorf("controller: %w", err)
	}
	for _, d := range deployments.Items {
		return controllerStatus{d.Spec.Template.Spec.Containers[0].Image, d.Status.ReadyReplicas, d.Status.Replicas}, nil
	}
	return controllerStatus{}, nil
}

// controllerSelector finds the controller by the labels of its manifests.
const controllerSelector = explain.Controller

func statusOfNode(n corev1.Node) nodeStatus {
	s := nodeStatus{Name: n.Name, Role: "worker", Version: n.Status.NodeInfo.KubeletVersion}
	// The label is how `kubectl get nodes` knows the role.
	if _, ok := n.Labels["node-role.kubernetes.io/control-plane"]; ok {
		s.Role = "control-plane"
	}
	for _, cond := range n.Status.Conditions {
		if cond.Type == corev1.NodeReady {
			s.Ready = cond.Status == corev1.ConditionTrue
		}
	}
	for _, addr := range n.Status.Addresses {
		if addr.Type == corev1.NodeInternalIP {
			s.Address = addr.Address
			break
		}
	}
	return s
}

func (a *app) printStatus(c *cluster.Cluster, st *clusterStatus) error {
	printAddresses(a.std.Out, c)
	if ctl := st.Controller; ctl.Image == "" {
		printf(a.std.Out, "controller   not installed; `ingresslab up` installs it\n")
	} else {
		printf(a.std.Out, "controller   %s, %d of %d pods ready\n", ctl.Image, ctl.Ready, ctl.Want)
	}
	printf(a.std.Out, "\n")
	w := tabwriter.NewWriter(a.std.Out, 0, 0, 2, ' ', 0)
	printf(w, "%s\n", strings.Join([]string{"NODE", "ROLE", "READY", "VERSION", "ADDRESS"}, "\t"))
	for _, n := range st.Nodes {
		ready := "no"
		if n.Ready {
			ready = "yes"
		}
		printf(w, "%s\t%s\t%s\t%s\t%s\n", n.Name, n.Role, ready, n.Version, n.Address)
	}
	return w.Flush()
}
