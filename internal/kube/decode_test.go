package kube

import (
	"strings"
	"testing"
)

const twoObjects = `# a comment first
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80}]}
---
# nothing but a comment
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
`

func TestDecodeReadsAllDocuments(t *testing.T) {
	objs, err := Decode("shop.yaml", []byte(twoObjects))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objs {
		names = append(names, Describe(o))
	}
	if got := strings.Join(names, ", "); got != "service shop/web, ingress web" {
		t.Errorf("got %s", got)
	}
	ports := objs[0].Object["spec"].(map[string]any)["ports"].([]any)
	if port, ok := ports[0].(map[string]any)["port"].(int64); !ok || port != 80 {
		t.Errorf("a port is %T, want int64: %v", ports[0], ports[0])
	}
}

func TestDecodeSplitsList(t *testing.T) {
	objs, err := Decode("list.yaml", []byte(`
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: a}}
- {apiVersion: v1, kind: Service, metadata: {name: b}}
`))
	if err != nil || len(objs) != 2 || objs[1].GetName() != "b" {
		t.Errorf("got %v, %v; want services a and b", objs, err)
	}
}

func TestDecodeReportsLineOfError(t *testing.T) {
	const good = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	for name, c := range map[string]struct{ text, want string }{
		"no kind":        {"\napiVersion: v1\nmetadata: {name: x}\n", "f.yaml:2: kind is missing"},
		"no version":     {good + "---\n\nkind: Service\n", "f.yaml:6: apiVersion is missing"},
		"no name":        {"apiVersion: v1\nkind: Service\n", "f.yaml:1: service has no metadata.name"},
		"not a mapping":  {good + "---\n- a\n- b\n", "f.yaml:5: not a Kubernetes object"},
		"bad YAML":       {good + "---\napiVersion: v1\nkind: Service\n  name: x\n", "f.yaml:7: "},
		"same key twice": {good + "---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  x: 1\n  x: 2\n", "f.yaml:10: "},
		"old Ingress": {
			"kind: Ingress\napiVersion: extensions/v1beta1\nmetadata: {name: cheddar}\n",
			"f.yaml:2: apiVersion: extensions/v1beta1 Ingress was removed in Kubernetes 1.22; use networking.k8s.io/v1",
		},
		"old DaemonSet": {
			"apiVersion: extensions/v1beta1\nkind: DaemonSet\nmetadata: {name: traefik}\n",
			"f.yaml:1: apiVersion: extensions/v1beta1 DaemonSet was removed in Kubernetes 1.16; use apps/v1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode("f.yaml", []byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s...", err, c.want)
			}
		})
	}
}

func TestDecodeReportsAllErrors(t *testing.T) {
	objs, err := Decode("f.yaml", []byte("kind: A\n---\n"+twoObjects+"---\nkind: B\n"))
	if err == nil || len(strings.Split(err.Error(), "\n")) != 2 {
		t.Errorf("got %v, want two lines", err)
	}
	if len(objs) != 2 {
		t.Errorf("got %d objects, want the 2 good ones", len(objs))
	}
}
