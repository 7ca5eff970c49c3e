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

// occupy takes a port of this machine for as long as the test runs.
func occupy(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestATakenPortNamesPortFlagAndHolder(t *testing.T) {
	for name, c := range map[string]struct {
		holder container
		known  bool // it has a record
		want   string
	}{
		"a cluster of ours": {container{name: "b-control-plane", cluster: "b"}, true, `by the ingresslab cluster "b"`},
		"a kind cluster":    {container{name: "b-control-plane", cluster: "b"}, false, `by the kind cluster "b"`},
		"a container":       {container{name: "web"}, false, `by container "web"`},
	} {
		t.Run(name, func(t *testing.T) {
			port := occupy(t)
			w := newWorld(t)
			w.engine.containers = []container{c.holder}
			w.engine.ports = map[int]int{80: port}
			if c.known {
				if err := w.store.Save("b", &record{Nodes: 1, Ready: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := w.up(t, func(s *cluster.Spec) { s.HTTPSPort = port })
			var taken *cluster.PortTakenError
			if !errors.As(err, &taken) || w.created != 0 {
				t.Fatalf("got %v, created %d; want a PortTakenError and nothing created", err, w.created)
			}
			for _, want := range []string{fmt.Sprintf("127.0.0.1:%d is taken", port), "--https-port", c.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %s", err, want)
				}
			}
		})
	}
}

func TestFreePortsDiffer(t *testing.T) {
	w := newWorld(t)
	ports, err := w.choosePorts(t.Context(), cluster.Spec{HTTPPort: -1, HTTPSPort: -1, StatusPort: -1})
	if err != nil || ports[0] == ports[1] || ports[1] == ports[2] || ports[0] == ports[2] || ports[0] == 0 {
		t.Errorf("got %v, %v; want three different ports", ports, err)
	}
}
