package lab_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// A lab starts while the controller's ConfigMap has data, with and without a lock of a scenario.
func TestStartClearsUnlockedSettings(t *testing.T) {
	for name, c := range map[string]struct {
		labels map[string]string
		left   int
	}{
		"not locked": {map[string]string{"lock.ingresslab.dev/node-ports": "true"}, 0},
		"locked":     {map[string]string{"lock.ingresslab.dev/settings": "true"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			cluster, env := environment(t)
			configs := cluster.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace)
			settings := &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: lab.ControllerConfigMap, Namespace: lab.ControllerNamespace},
				Data:       map[string]string{"enable-sticky-sessions": "true"},
			}
			if _, err := configs.Create(ctx, settings, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := cluster.EnsureNamespace(ctx, "lab-run", c.labels); err != nil {
				t.Fatal(err)
			}
			notes, err := lab.NewSession(hostRouting(t), env).Start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			now, err := configs.Get(ctx, lab.ControllerConfigMap, metav1.GetOptions{})
			if err != nil || len(now.Data) != c.left || len(notes) != 1-c.left {
				t.Errorf("data %v, %v; notes %q", now.Data, err, notes)
			}
		})
	}
}
