package kind

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// occupy listens on a port until the test ends.
func occupy(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", cluster.Loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestPortInUseErrorNamesPortFlagAndHolder(t *testing.T) {
	for name, c := range map[string]struct {
		holder container
		known  bool // the cluster has a record
		want   string
	}{
		"ingresslab cluster": {container{name: "b-control-plane", cluster: "b"}, true, `by the ingresslab cluster "b"`},
		"kind cluster":       {container{name: "b-control-plane", cluster: "b"}, false, `by the kind cluster "b"`},
		"container":          {container{name: "web"}, false, `by container "web"`},
	} {
		t.Run(name, func(t *testing.T) {
			port := occupy(t)
			w := newFixture(t)
			w.engine.containers = []container{c.holder}
			w.engine.ports = map[int]int{80: port}
			if c.known {
				if err := w.Save("b", &cluster.Record{Nodes: 1, Ready: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := w.up(t, func(s *cluster.Spec) { s.HTTPSPort = port })
			var inUse *cluster.PortInUseError
			if !errors.As(err, &inUse) || w.created != 0 {
				t.Fatalf("got %v, created %d; want a PortInUseError and nothing created", err, w.created)
			}
			for _, want := range []string{fmt.Sprintf("127.0.0.1:%d is already in use", port), "--https-port", c.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not contain %s", err, want)
				}
			}
		})
	}
}

func TestAnyPortsDiffer(t *testing.T) {
	w := newFixture(t)
	ports, err := w.choosePorts(t.Context(), cluster.Spec{HTTPPort: -1, HTTPSPort: -1, StatusPort: -1})
	if err != nil || ports[0] == ports[1] || ports[1] == ports[2] || ports[0] == ports[2] || ports[0] == 0 {
		t.Errorf("got %v, %v; want three different ports", ports, err)
	}
}
