package podspec_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

var environments = []struct{ name, container, want string }{
	{
		"a variable can refer only to earlier variables",
		`env: [{name: A, value: one}, {name: B, value: "$(A) two $(C)"}, {name: C, value: three}]`,
		"A=one B=one two $(C) C=three",
	},
	{
		"two dollar signs escape a reference",
		`env: [{name: A, value: x}, {name: B, value: "$$(A) $A $ $(A $$"}]`,
		"A=x B=$(A) $A $ $(A $",
	},
	{
		"the later of two variables wins and can refer to the earlier",
		`env: [{name: A, value: one}, {name: A, value: "$(A)+two"}]`,
		"A=one+two",
	},
	{
		"env overrides envFrom, and prefixes apply to all keys",
		`envFrom: [{prefix: CFG_, configMapRef: {name: web-config}}, {secretRef: {name: web-tls}}]
env: [{name: tls.key, value: "$(CFG_PORT)"}]`,
		"CFG_PORT=8080 CFG_log.level=debug tls.crt=CERT tls.key=8080",
	},
	{
		"one key of a ConfigMap or Secret",
		`env: [{name: A, valueFrom: {configMapKeyRef: {name: web-config, key: PORT}}}, {name: B, valueFrom: {secretKeyRef: {name: web-tls, ` +
			`key: tls.crt}}}]`,
		"A=8080 B=CERT",
	},
	{
		"a missing optional source changes no variable",
		`envFrom: [{configMapRef: {name: nope, optional: true}}, {secretRef: {name: nope, optional: true}}]
env:
- {name: A, value: kept}
- {name: A, valueFrom: {configMapKeyRef: {name: nope, key: k, optional: true}}}
- {name: B, valueFrom: {configMapKeyRef: {name: web-config, key: nope, optional: true}}}
- {name: C, valueFrom: {secretKeyRef: {name: web-tls, key: nope, optional: true}}}
- {name: D, valueFrom: {secretKeyRef: {name: nope, key: k, optional: true}}}`,
		"A=kept",
	},
	{
		"fields of the pod",
		`env:
- {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: NS, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: ID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
- {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['build']"}}}
- {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
- {name: SA, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
- {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
- {name: HOSTS, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}
- {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}`,
		`HOST=172.30.0.2 HOSTS=172.30.0.2 ID=a-b-c IP=10.244.0.5 IPS=10.244.0.5 LABEL=front NAME=web-0 NODE=node-1 NOTE=say "hi" NS=shop ` +
			`SA=default`,
	},
	{
		"resources are rounded up, and a missing limit is the node's",
		`resources: {requests: {cpu: 250m, memory: 100M}, limits: {memory: 1Gi}}
env:
- {name: A, valueFrom: {resourceFieldRef: {resource: requests.cpu}}}
- {name: B, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
- {name: C, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}}
- {name: D, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
- {name: E, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
- {name: F, valueFrom: {resourceFieldRef: {resource: limits.memory, containerName: web, divisor: 1Gi}}}`,
		"A=1 B=250 C=96 D=1073741824 E=4 F=1",
	},
}

func TestEnvironment(t *testing.T) {
	for _, test := range environments {
		t.Run(test.name, func(t *testing.T) {
			node, _ := newNode(t, objects()...)
			pod := newPod(t, "enableServiceLinks: false\ncontainers:\n- name: web\n"+indent(test.container))
			var got []string
			for _, variable := range render(t, node, pod).Env {
				if !strings.HasPrefix(variable, "KUBERNETES_") && !strings.HasPrefix(variable, "HOSTNAME=") {
					got = append(got, variable)
				}
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != test.want {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
		})
	}
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n" }

func TestServiceVariables(t *testing.T) {
	node, _ := newNode(t, objects()...)
	all := variables(render(t, node, newPod(t, "containers: [{name: web, env: [{name: API_V2_PORT, value: mine}, {name: URL, value: "+
		"http://$(API_V2_SERVICE_HOST)}]}]")).Env)
	for name, want := range map[string]string{
		"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", "KUBERNETES_SERVICE_PORT_HTTPS": "443",
		"KUBERNETES_PORT": "tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
		"API_V2_SERVICE_HOST": "10.96.0.7", "API_V2_SERVICE_PORT": "80", "API_V2_SERVICE_PORT_WEB_UI": "80", "API_V2_SERVICE_PORT_DNS": "53",
		"API_V2_PORT_80_TCP": "tcp://10.96.0.7:80", "API_V2_PORT_53_UDP_PROTO": "udp", "API_V2_PORT_53_UDP_PORT": "53",
		"API_V2_PORT": "mine", "URL": "http://10.96.0.7", "HOSTNAME": "web-0",
	} {
		if all[name] != want {
			t.Errorf("%s=%s, want %s", name, all[name], want)
		}
	}
	for name := range maps.Keys(all) {
		if strings.HasPrefix(name, "PEERS_") {
			t.Errorf("variable of a headless Service: %s", name)
		}
	}
	few := variables(render(t, node, newPod(t, "{enableServiceLinks: false, containers: [{name: web}]}")).Env)
	if few["KUBERNETES_SERVICE_HOST"] != "10.96.0.1" || few["API_V2_SERVICE_HOST"] != "" {
		t.Errorf("want only the API server's variables without enableServiceLinks, got %v", few)
	}
}

func variables(list []string) map[string]string {
	out := map[string]string{}
	for _, variable := range list {
		name, value, _ := strings.Cut(variable, "=")
		out[name] = value
	}
	return out
}

func TestMissingReferencesAreConfigErrors(t *testing.T) {
	for container, want := range map[string]string{
		`envFrom: [{configMapRef: {name: nope}}]`:                                    `configmap "nope" not found`,
		`envFrom: [{secretRef: {name: nope}}]`:                                       `secret "nope" not found`,
		`env: [{name: A, valueFrom: {configMapKeyRef: {name: nope, key: k}}}]`:       `configmap "nope" not found`,
		`env: [{name: A, valueFrom: {configMapKeyRef: {name: web-config, key: k}}}]`: `couldn't find key k in ConfigMap shop/web-config`,
		`env: [{name: A, valueFrom: {secretKeyRef: {name: web-tls, key: k}}}]`:       `couldn't find key k in Secret shop/web-tls`,
		`env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nope}}}]`:            `unsupported fieldPath: spec.nope`,
		`env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.gpu}}}]`:    `unsupported container resource : limits.gpu`,
		`env: [{name: A, value: "a\0b"}]`:                                            `environment variable "A" contains a NUL byte`,
		`volumeMounts: [{name: nope, mountPath: /x}]`: `cannot find volume "nope" to ` +
			`mount into container "web"`,
		`volumeDevices: [{name: disk, devicePath: /dev/xvda}]`: `container "web": volumeDevices are not supported ` +
			`in embedded clusters; use kind`,
		`volumeMounts: [{name: tmp, mountPath: /x, subPathExpr: "$(NOPE)/$(NO)"}]`: `missing value for NO, NOPE`,
		`volumeMounts: [{name: tmp, mountPath: /x, subPath: ../y}]`: `failed to prepare subPath for volumeMount "tmp" of container ` +
			`"web": the path must be relative, without ".." elements`,
		`env: [{name: A, valueFrom: {fileKeyRef: {volumeName: tmp, path: nope, key: K}}}]`: `couldn't read env file "nope" of volume "tmp": ` +
			`openat nope: no such file or directory`,
	} {
		node, _ := newNode(t, objects()...)
		pod := newPod(t, "volumes: [{name: tmp, emptyDir: {}}]\ncontainers:\n- name: web\n"+indent(container))
		if err := node.Volumes(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		_, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0])
		var configError *podspec.ConfigError
		if !errors.As(err, &configError) || configError.Message != want {
			t.Errorf("%s\n got %T %v\nwant %s", container, err, err, want)
		}
	}
}
