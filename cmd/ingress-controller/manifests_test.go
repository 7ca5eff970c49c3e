package main

import (
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// podSpec reads the pod template of a Deployment or DaemonSet; both have the same path to it.
func podSpec(t *testing.T, file string) corev1.PodSpec {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var workload appsv1.Deployment
	if err := yaml.Unmarshal(text, &workload); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return workload.Spec.Template.Spec
}

// The binary must accept the manifests' flags, and terminationGracePeriodSeconds must cover the
// shutdown.
func TestManifestsMatchBinary(t *testing.T) {
	for _, file := range []string{"../../manifests/deployment/deployment.yaml", "../../manifests/kind/daemonset.yaml"} {
		t.Run(file, func(t *testing.T) {
			pod := podSpec(t, file)
			container := pod.Containers[0]
			var args []string
			for _, arg := range container.Args {
				args = append(args, strings.ReplaceAll(arg, "$(POD_NAMESPACE)", "ingresslab-system"))
			}
			o, err := parse(args, noEnv)
			if err != nil {
				t.Fatal(err)
			}
			leaving := o.config.ShutdownGrace + o.config.ShutdownTimeout
			if given := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; given <= leaving {
				t.Errorf("the pod is killed after %s, and takes up to %s to leave", given, leaving)
			}
			ports := map[string]int32{}
			for _, port := range container.Ports {
				ports[port.Name] = port.ContainerPort
			}
			for name, want := range map[string]int{
				"http": o.config.HTTPPort, "https": o.config.HTTPSPort, "status": o.config.StatusPort, "metrics": o.config.MetricsPort,
			} {
				if ports[name] != int32(want) {
					t.Errorf("port %s is %d, the binary listens on %d", name, ports[name], want)
				}
			}
			security := container.SecurityContext
			if !*pod.SecurityContext.RunAsNonRoot || !*security.ReadOnlyRootFilesystem || *security.AllowPrivilegeEscalation ||
				len(security.Capabilities.Add) > 0 {
				t.Error("the pod may do more than it needs")
			}
		})
	}
}
