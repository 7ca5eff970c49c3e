package lab_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// TestALabBeginsWithoutSettingsUnlessSomebodyNeedsThem starts a lab while the controller's ConfigMap has data: of nobody, and of the run
// of a scenario that has a lock on it.
func TestALabBeginsWithoutSettingsUnlessSomebodyNeedsThem(t *testing.T) {
	for name, c := range map[string]struct {
		labels map[string]string
		left   int
	}{
		"nobody needs them": {map[string]string{"lock.ingresslab.dev/node-ports": "true"}, 0},
		"a run needs them":  {map[string]string{"lock.ingresslab.dev/settings": "true"}, 1},
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
				t.Errorf("data is %v, %v; the notes are %q", now.Data, err, notes)
			}
		})
	}
}
