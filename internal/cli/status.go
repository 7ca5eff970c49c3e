package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// clusterStatus is the result of `ingresslab status`.
type clusterStatus struct {
	Cluster    string           `json:"cluster"`
	Provider   string           `json:"provider"`
	Kubeconfig string           `json:"kubeconfig"`
	HTTP       string           `json:"http"`
	HTTPS      string           `json:"https"`
	StatusPage string           `json:"statusPage"`
	Nodes      []nodeStatus     `json:"nodes"`
	Controller controllerStatus `json:"controller"`
	// Lacks lists the capabilities that the cluster does not have, with reasons. Scenarios that require one are skipped.
	Lacks cluster.Missing `json:"lacks,omitempty"`
}

type nodeStatus struct {
	Name    string `json:"name"`
	Role    string `json:"role"`
	Ready   bool   `json:"ready"`
	Version string `json:"version"`
	Address string `json:"address"`
}

// controllerStatus is the state of the controller's DaemonSet or Deployment.
type controllerStatus struct {
	Image string `json:"image,omitempty"`
	Ready int32  `json:"ready"`
	Want  int32  `json:"want"`
}

func (a *app) statusCommand() *cobra.Command {
	var output outputFlags
	var all bool
	c := &cobra.Command{
		Use:     "status",
		Short:   "Show the cluster's nodes, addresses, and controller",
		Example: "  ingresslab status -o json\n  ingresslab status --all",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := output.check(); err != nil {
				return err
			}
			if all {
				return a.listClusters(c.Context(), output.output)
			}
			_, up, err := a.cluster(c.Context())
			if err != nil {
				return err
			}
			st, err := readStatus(c.Context(), up)
			if err != nil {
				return err
			}
			if output.output == outputJSON {
				return scenario.EncodeJSON(a.std.Out, st)
			}
			return a.printStatus(up, st)
		},
	}
	output.register(c, outputPretty, outputJSON)
	c.Flags().BoolVar(&all, "all", false, "list all clusters that ingresslab created on this machine")
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
		Lacks: c.Missing,
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

// pageAt returns the URL of an address, or "" for an empty address.
func pageAt(scheme, address string) string {
	if address == "" {
		return ""
	}
	return scheme + "://" + address + "/"
}

// readController finds the controller as a DaemonSet (new cluster) or Deployment (existing), or returns the zero value.
func readController(ctx context.Context, client *kube.Client) (controllerStatus, error) {
	apps, selector := client.Clientset().AppsV1(), metav1.ListOptions{LabelSelector: explain.Controller}
	sets, err := apps.DaemonSets(metav1.NamespaceAll).List(ctx, selector)
	if err != nil {
		return controllerStatus{}, fmt.Errorf("controller: %w", err)
	}
	for _, d := range sets.Items {
		return controllerStatus{d.Spec.Template.Spec.Containers[0].Image, d.Status.NumberReady, d.Status.DesiredNumberScheduled}, nil
	}
	deployments, err := apps.Deployments(metav1.NamespaceAll).List(ctx, selector)
	if err != nil {
		return controllerStatus{}, fmt.Errorf("controller: %w", err)
	}
	for _, d := range deployments.Items {
		return controllerStatus{d.Spec.Template.Spec.Containers[0].Image, d.Status.ReadyReplicas, d.Status.Replicas}, nil
	}
	return controllerStatus{}, nil
}

func statusOfNode(n corev1.Node) nodeStatus {
	s := nodeStatus{Name: n.Name, Role: "worker", Version: n.Status.NodeInfo.KubeletVersion}
	// `kubectl get nodes` reads the role from this label, too.
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
		printf(a.std.Out, "controller   not installed; run `ingresslab up` to install it\n")
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

// listedCluster is one line of `ingresslab status --all`.
type listedCluster struct {
	Name     string    `json:"name"`
	Provider string    `json:"provider"`
	State    string    `json:"state"`
	Nodes    int       `json:"nodes"`
	Created  time.Time `json:"created,omitzero"`
	Problem  string    `json:"problem,omitempty"`
}

// listClusters prints the clusters of all providers. If a provider fails, it prints a note and the other clusters.
func (a *app) listClusters(ctx context.Context, output string) error {
	found, err := a.options().All(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		a.display.Note(oneLine(err.Error()))
	}
	list := []listedCluster{}
	for _, f := range found {
		list = append(list, listedCluster{
			Name: f.Name, Provider: f.Provider.Name(), State: string(f.State),
			Nodes: len(f.Nodes), Created: f.Created, Problem: f.Problem,
		})
	}
	if output == outputJSON {
		return scenario.EncodeJSON(a.std.Out, list)
	}
	w := tabwriter.NewWriter(a.std.Out, 0, 0, 2, ' ', 0)
	printf(w, "NAME\tPROVIDER\tSTATE\tNODES\tPROBLEM\n")
	for _, c := range list {
		printf(w, "%s\t%s\t%s\t%d\t%s\n", c.Name, c.Provider, c.State, c.Nodes, cmp.Or(c.Problem, "-"))
	}
	return w.Flush()
}
