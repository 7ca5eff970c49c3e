package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// apiServer fakes an API server with controller pods. It forwards requests through the pod proxy to controller.
func apiServer(t *testing.T, controller http.HandlerFunc, pods ...corev1.Pod) *kube.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/pods", func(w http.ResponseWriter, r *http.Request) {
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
		if r.FormValue("labelSelector") == explain.Controller {
			list.Items = pods
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	})
	mux.Handle("GET /api/v1/namespaces/ingresslab-system/pods/ready:18080/proxy/api/v1/explain", controller)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func controllerPod(name string, ready corev1.ConditionStatus) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ingresslab-system", Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "controller", Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 80}, {Name: "status", ContainerPort: 18080},
		}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
}

// run returns the output of a command line, followed by the exit code and the error.
func run(t *testing.T, client *kube.Client, args ...string) string {
	var out strings.Builder
	a := &app{std: Streams{Out: &out, Err: io.Discard}}
	a.options = a.providers
	a.connect = func(context.Context) (*kube.Client, error) { return client, nil }
	root := a.rootCommand()
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil {
		return fmt.Sprintf("%sexit code %d: %s\n", out.String(), exitCode(err), errorText(err))
	}
	return out.String()
}

// TestExplain runs testdata/explain: a command line, the request to the controller, its response, and the output.
func TestExplain(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]string{}
			for _, f := range archive.Files {
				part[f.Name] = string(f.Data)
			}
			var asked strings.Builder
			client := apiServer(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprintf(&asked, "Accept: %s\n%s\n", r.Header.Get("Accept"), strings.ReplaceAll(r.URL.RawQuery, "&", "\n"))
				if strings.HasPrefix(part["refusal"], "{") {
					w.Header().Set("Content-Type", "application/json")
				}
				if _, refused := part["refusal"]; refused {
					w.WriteHeader(http.StatusBadRequest)
				}
				_, _ = io.WriteString(w, part["answer"]+part["refusal"])
			}, controllerPod("broken", corev1.ConditionFalse), controllerPod("ready", corev1.ConditionTrue))
			got := run(t, client, strings.Split(strings.TrimSpace(part["args"]), "\n")...)
			if asked.String() != part["asked"] {
				t.Errorf("asked\n%swant\n%s", asked.String(), part["asked"])
			}
			if got != part["printed"] {
				t.Errorf("printed\n%swant\n%s", got, part["printed"])
			}
		})
	}
}

func TestExplainErrorsNameNextAction(t *testing.T) {
	old := func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }
	for _, test := range []struct {
		name, want string
		client     *kube.Client
	}{
		{"no controller", "exit code 3: the controller is not installed; run `ingresslab up` to install it\n", apiServer(t, old)},
		{
			"not ready", "exit code 3: the controller is not ready: pod ingresslab-system/broken: " +
				"runs, and its readiness probe does not pass; run `ingresslab export-logs` to collect its logs\n",
			apiServer(t, old, controllerPod("broken", corev1.ConditionFalse)),
		},
		{
			"another controller", "exit code 3: the controller responded with 404 and no explanation: 404 page not found\n",
			apiServer(t, old, controllerPod("ready", corev1.ConditionTrue)),
		},
	} {
		if got := run(t, test.client, "explain", "shop.test"); got != test.want {
			t.Errorf("%s: printed\n%swant\n%s", test.name, got, test.want)
		}
	}
}
