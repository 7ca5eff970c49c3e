package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestSpecErrorNamesFlag(t *testing.T) {
	for name, c := range map[string]struct {
		spec cluster.Spec
		want string // start of the error; empty if the Spec is valid
	}{
		"empty":                {cluster.Spec{}, ""},
		"all fields":           {cluster.Spec{Name: "a-1", Nodes: 1, HTTPPort: 1, HTTPSPort: 65535, StatusPort: cluster.AnyPort}, ""},
		"any port three times": {cluster.Spec{HTTPPort: -1, HTTPSPort: -1, StatusPort: -1}, ""},
		"capital letter":       {cluster.Spec{Name: "Lab"}, `--name: "Lab" is not a name`},
		"dash at the end":      {cluster.Spec{Name: "lab-"}, "--name:"},
		"path as a name":       {cluster.Spec{Name: "../x"}, "--name:"},
		"name too long":        {cluster.Spec{Name: strings.Repeat("x", 51)}, "--name:"},
		"too many nodes":       {cluster.Spec{Nodes: 17}, "--nodes: 17 is not between 1 and 16"},
		"negative nodes":       {cluster.Spec{Nodes: -1}, "--nodes:"},
		"port too high":        {cluster.Spec{HTTPPort: 65536}, "--http-port: 65536 is not a port"},
		"port too low":         {cluster.Spec{StatusPort: -2}, "--status-port: -2 is not a port"},
		"same port twice":      {cluster.Spec{HTTPPort: 9000, HTTPSPort: 9000}, "--https-port: 9000 is already used for --http-port"},
		"latest tag":           {cluster.Spec{NodeImage: "node:latest"}, "--node-image:"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.spec.Check()
			var se *cluster.SpecError
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case c.want != "" && (!errors.As(err, &se) || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("got %v, want %s...", err, c.want)
			}
		})
	}
}

// Port 18080 for HTTP collides with the default of the status page.
func TestSpecCheckComparesWithDefaultPorts(t *testing.T) {
	err := cluster.Spec{HTTPPort: cluster.DefaultStatusPort}.Check()
	if err == nil || !strings.Contains(err.Error(), "--status-port") {
		t.Errorf("got %v, want an error about --status-port", err)
	}
}

func TestMissingReturnsReasons(t *testing.T) {
	c := cluster.Missing{cluster.Nodes: "the cluster has one node"}
	if got := c.Lacks(cluster.Pods, cluster.DNS); got != nil {
		t.Errorf("got %v, want no reason", got)
	}
	got := c.Lacks(cluster.Pods, cluster.Nodes, "gpu")
	want := []string{"requires nodes: the cluster has one node", `unknown requirement "gpu"`}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}
