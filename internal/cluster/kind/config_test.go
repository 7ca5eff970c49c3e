package kind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestConfigHasNodesAndPortsOfRecord(t *testing.T) {
	rec := &cluster.Record{Nodes: 3, HTTPPort: 8080, HTTPSPort: 8443, StatusPort: 18080, NodeImage: "node:1"}
	c := config("lab", rec, false)
	if c.Name != "lab" || len(c.Nodes) != 3 || len(c.KubeadmConfigPatches) != 0 {
		t.Fatalf("got %+v", c)
	}
	for i, n := range c.Nodes {
		want := v1alpha4.WorkerRole
		if i == 0 {
			want = v1alpha4.ControlPlaneRole
		}
		if n.Role != want || n.Image != "node:1" {
			t.Errorf("node %d: role %s, image %s", i, n.Role, n.Image)
		}
		if i > 0 && len(n.ExtraPortMappings) > 0 {
			t.Errorf("worker %d has port mappings", i)
		}
	}
	got := map[int32]int32{}
	for _, m := range c.Nodes[0].ExtraPortMappings {
		if m.ListenAddress != "127.0.0.1" {
			t.Errorf("port %d: listen address %q", m.HostPort, m.ListenAddress)
		}
		got[m.ContainerPort] = m.HostPort
	}
	if len(got) != 3 || got[80] != 8080 || got[443] != 8443 || got[18080] != 18080 {
		t.Errorf("ports %v", got)
	}
}

func TestConfigPatchesKubeletOnCgroupV1(t *testing.T) {
	c := config("lab", &cluster.Record{Nodes: 1}, true)
	if len(c.KubeadmConfigPatches) != 1 || c.KubeadmConfigPatches[0] != cgroupV1Patch {
		t.Errorf("patches %q", c.KubeadmConfigPatches)
	}
}

func TestParseImages(t *testing.T) {
	images, err := parseImages([]byte(`{"images":[
		{"id":"sha256:1","repoTags":["registry.example/library/cheese:cheddar","registry.example/cheese:old"]},
		{"id":"sha256:2","repoTags":["registry.example/ingresslab/ingress-controller:0.1.0"]},
		{"id":"sha256:3","repoTags":[]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for ref, id := range map[string]string{
		"cheese:cheddar": "sha256:1", "cheese:old": "sha256:1", "ingresslab/ingress-controller:0.1.0": "sha256:2",
	} {
		if images[ref] != id {
			t.Errorf("%s is %q, want %s", ref, images[ref], id)
		}
	}
	if len(images) != 3 {
		t.Errorf("got %v", images)
	}
}

func TestRaiseInotify(t *testing.T) {
	for name, c := range map[string]struct{ before, after, note string }{
		"too low": {"128\n", "512", "raised fs.inotify.max_user_instances from 128 to 512"},
		"enough":  {"8192\n", "8192\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "max_user_instances")
			writeFile(t, file, c.before)
			if note := raiseInotify(file); !strings.HasPrefix(note, c.note) || (note == "") != (c.note == "") {
				t.Errorf("note %q, want %q...", note, c.note)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != c.after {
				t.Errorf("limit %q, %v; want %q", after, err, c.after)
			}
		})
	}
	if note := raiseInotify(filepath.Join(t.TempDir(), "nothing")); note != "" {
		t.Errorf("note %q without a limit", note)
	}
}
