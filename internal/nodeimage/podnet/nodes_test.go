package podnet

import (
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

func TestNodesListsAPI(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/nodes" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"7"},` +
			`"items":[{"metadata":{"name":"a"},"spec":{"podCIDRs":["10.244.0.0/24"]}}]}`))
	}))
	defer server.Close()
	nodes, err := Nodes(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := cache.ToListerWithContext(nodes).ListWithContext(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, ok := listed.(*corev1.NodeList)
	if !ok || len(list.Items) != 1 || list.Items[0].Spec.PodCIDRs[0] != "10.244.0.0/24" {
		t.Errorf("listed %+v", listed)
	}
}
