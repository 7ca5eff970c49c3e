package deploy

import (
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Users can add the webhook component to a kustomization with the DaemonSet for kind or with the
// Deployment.
func TestAdmissionComponentMatchesBothWorkloads(t *testing.T) {
	for name, resources := range map[string]string{"DaemonSet": "manifests/kind", "Deployment": "manifests"} {
		disk := filesys.MakeFsOnDisk()
		dir := t.TempDir()
		root, err := filepath.Abs(checkout)
		if err != nil {
			t.Fatal(err)
		}
		relative := func(path string) string {
			to, err := filepath.Rel(dir, filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			return to
		}
		text := "resources: [" + relative(resources) + "]\ncomponents: [" + relative("manifests/admission") + "]\n"
		if err := disk.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		yaml, err := rendered.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"kind: " + name, "- --admission\n", "containerPort: 8443",
			"kind: ValidatingWebhookConfiguration", "name: ingress-controller-admission",
		} {
			if !strings.Contains(string(yaml), want) {
				t.Errorf("%s: the manifests do not contain %q", name, want)
			}
		}
	}
}
