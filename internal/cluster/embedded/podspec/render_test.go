package podspec_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

func TestCommandAndArgsExpandVariables(t *testing.T) {
	node, _ := newNode(t, objects()...)
	spec := render(t, node, newPod(t, `
containers:
- name: web
  command: [/bin/web, --name=$(NAME)]
  args: [--api=$(API_V2_SERVICE_HOST), "$(HOSTNAME)", "$$(NAME)"]
  workingDir: /srv
  stdin: true
  tty: true
  env: [{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
  securityContext: {readOnlyRootFilesystem: true}
`))
	got := strings.Join(append(spec.Command, spec.Args...), " ")
	if want := "/bin/web --name=web-0 --api=10.96.0.7 $(HOSTNAME) $(NAME)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if spec.Name != "web" || spec.WorkingDir != "/srv" || !spec.Stdin || !spec.TTY || !spec.ReadOnly {
		t.Errorf("got %+v", spec)
	}
	plain := render(t, node, newPod(t, "containers: [{name: web}]"))
	if plain.Command != nil || plain.Args != nil || plain.WorkingDir != "" || plain.Stdin || plain.TTY || plain.ReadOnly {
		t.Errorf("want empty fields for the image's defaults, got %+v", plain)
	}
}

func TestOuterMountsPrecedeInnerMounts(t *testing.T) {
	node, _ := newNode(t, objects()...)
	spec := render(t, node, newPod(t, `
volumes: [{name: tmp, emptyDir: {}}, {name: c, configMap: {name: web-config}}]
containers:
- name: web
  volumeMounts: [{name: c, mountPath: /srv/web/conf}, {name: tmp, mountPath: /srv/}, {name: tmp, mountPath: /etc/hosts, subPath: hosts}]
`))
	var targets []string
	for _, mount := range spec.Mounts {
		targets = append(targets, mount.Target)
	}
	outer, inner := slices.Index(targets, "/srv"), slices.Index(targets, "/srv/web/conf")
	if outer < 0 || inner < outer {
		t.Errorf("got %v", targets)
	}
	if hosts := source(t, spec, "/etc/hosts"); !strings.HasSuffix(hosts.Source, "volumes/tmp/hosts") ||
		len(targets) != len(slices.Compact(slices.Sorted(slices.Values(targets)))) {
		t.Errorf("a mount of the manifest must replace the node's file: %v", spec.Mounts)
	}
}

func TestHostnameOfPod(t *testing.T) {
	long := strings.Repeat("a", 62) + ".b"
	for _, test := range []struct{ name, pod, hostname, hosts string }{
		{"the default is the pod's name", `{}`, "web-0", "10.244.0.5\tweb-0"},
		{"hostname overrides the name", `{hostname: shop}`, "shop", "10.244.0.5\tshop"},
		{"subdomain sets the domain", `{hostname: shop, subdomain: peers}`, "shop", "10.244.0.5\tshop.peers.shop.svc.cluster.local\tshop"},
		{"setHostnameAsFQDN sets the FQDN", `{subdomain: peers, setHostnameAsFQDN: true}`, "web-0.peers.shop.svc.cluster.local",
			"10.244.0.5\tweb-0.peers.shop.svc.cluster.local\tweb-0"},
		{"hostnameOverride takes precedence", `{hostname: x, subdomain: peers, hostnameOverride: web.example.org}`, "web.example.org",
			"10.244.0.5\tweb.example.org"},
		{"a long name is truncated", `{hostnameOverride: ` + long + `}`, strings.Repeat("a", 62), "10.244.0.5\t" + strings.Repeat("a", 62)},
		{"a hostNetwork pod has the node's name", `{hostNetwork: true}`, "node-1", "172.30.0.2\tnode-1"},
		{"aliases are added", `{hostAliases: [{ip: 10.1.2.3, hostnames: [db, db.test]}]}`, "web-0", "10.1.2.3\tdb\tdb.test"},
	} {
		t.Run(test.name, func(t *testing.T) {
			node, _ := newNode(t)
			pod := newPod(t, test.pod)
			pod.Spec.Containers = newPod(t, "containers: [{name: web}]").Spec.Containers
			spec := render(t, node, pod)
			if spec.Hostname != test.hostname || variables(spec.Env)["HOSTNAME"] != test.hostname {
				t.Errorf("uname has %q, the environment %q, want %q", spec.Hostname, variables(spec.Env)["HOSTNAME"], test.hostname)
			}
			if got := readFile(t, source(t, spec, "/etc/hostname").Source); got != test.hostname+"\n" {
				t.Errorf("/etc/hostname: %q", got)
			}
			if got := readFile(t, source(t, spec, "/etc/hosts").Source); !strings.Contains(got, "\n"+test.hosts+"\n") ||
				!strings.Contains(got, "\n127.0.0.1\tlocalhost\n") {
				t.Errorf("line %q not found in /etc/hosts:\n%s", test.hosts, got)
			}
		})
	}
}

func TestLongFQDNIsConfigError(t *testing.T) {
	node, _ := newNode(t)
	pod := newPod(t, "{subdomain: "+strings.Repeat("s", 50)+", setHostnameAsFQDN: true, containers: [{name: web}]}")
	_, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0])
	var configError *podspec.ConfigError
	if !errors.As(err, &configError) || !strings.Contains(err.Error(), "is too long (64 characters is the max, 79 characters requested)") {
		t.Errorf("got %v", err)
	}
}

func TestResolvConf(t *testing.T) {
	const cluster = "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
	for _, test := range []struct{ name, pod, want string }{
		{"ClusterFirst", `{dnsPolicy: ClusterFirst}`, cluster},
		{"ClusterFirst in the node's network is Default", `{dnsPolicy: ClusterFirst, hostNetwork: true}`, "nameserver 10.96.0.10\n"},
		{"ClusterFirstWithHostNet", `{dnsPolicy: ClusterFirstWithHostNet, hostNetwork: true}`, cluster},
		{"Default", `{dnsPolicy: Default}`, "nameserver 10.96.0.10\n"},
		{
			"None uses only dnsConfig", `{dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1], searches: [a.test], options: [{name: ndots, ` +
				`value: "2"}, {name: edns0}]}}`,
			"search a.test\nnameserver 192.0.2.1\noptions ndots:2 edns0\n",
		},
		{
			"dnsConfig extends a policy and replaces options", `{dnsConfig: {nameservers: [10.96.0.10, 192.0.2.1, 192.0.2.2, 192.0.2.3], ` +
				`searches: [cluster.local, a.test], options: [{name: ndots, value: "1"}]}}`,
			"search shop.svc.cluster.local svc.cluster.local cluster.local a.test\nnameserver 10.96.0.10\nnameserver 192.0.2.1\nnameserver " +
				"192.0.2.2\noptions ndots:1\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			node, _ := newNode(t)
			pod := newPod(t, test.pod)
			pod.Spec.Containers = newPod(t, "containers: [{name: web}]").Spec.Containers
			if got := readFile(t, source(t, render(t, node, pod), "/etc/resolv.conf").Source); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestUserGroupAndSupplementalGroups(t *testing.T) {
	node, _ := newNode(t)
	spec := render(t, node, newPod(t, `
securityContext: {runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4, 5]}
containers: [{name: web, securityContext: {runAsUser: 101}}]`))
	if *spec.User != 101 || *spec.Group != 2 || !slices.Equal(spec.Groups, []int64{3, 4, 5}) {
		t.Errorf("got %d %d %v", *spec.User, *spec.Group, spec.Groups)
	}
	if spec := render(t, node, newPod(t, "containers: [{name: web}]")); spec.User != nil || spec.Group != nil || spec.Groups != nil {
		t.Errorf("got %v %v %v", spec.User, spec.Group, spec.Groups)
	}
}

func TestRunAsNonRoot(t *testing.T) {
	const where = ` (pod: "web-0_shop(a-b-c)", container: web)`
	for _, test := range []struct{ pod, container, user, want string }{
		{`{}`, `{}`, "", ""},
		{`{runAsNonRoot: true}`, `{}`, "", "container has runAsNonRoot and image will run as root" + where},
		{`{runAsNonRoot: true}`, `{}`, "0:0", "container has runAsNonRoot and image will run as root" + where},
		{`{runAsNonRoot: true}`, `{}`, "101:101", ""},
		{`{runAsNonRoot: true}`, `{}`, "nginx", "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is " +
			"non-root" + where},
		{`{runAsNonRoot: true}`, `{runAsUser: 0}`, "101", "container's runAsUser breaks non-root policy" + where},
		{`{runAsNonRoot: true, runAsUser: 5}`, `{}`, "", ""},
		{`{runAsNonRoot: true}`, `{runAsNonRoot: false}`, "", ""},
		{`{}`, `{runAsNonRoot: true}`, "", "container has runAsNonRoot and image will run as root" + where},
	} {
		pod := newPod(t, "securityContext: "+test.pod+"\ncontainers: [{name: web, securityContext: "+test.container+"}]")
		err := podspec.CheckUser(pod.Pod, &pod.Spec.Containers[0], &container.Image{User: test.user})
		var configError *podspec.ConfigError
		if got := ""; errors.As(err, &configError) {
			got = configError.Message
			if got != test.want {
				t.Errorf("%+v\n got %s", test, got)
			}
		} else if err != nil || test.want != "" {
			t.Errorf("%+v\n got %v", test, err)
		}
	}
}

func TestInvalidEnvFile(t *testing.T) {
	node, _ := newNode(t)
	pod := newPod(t, `
volumes: [{name: cfg, emptyDir: {}}]
containers: [{name: web, env: [{name: V, valueFrom: {fileKeyRef: {volumeName: cfg, path: app.env, key: KEY}}}]}]`)
	if err := node.Volumes(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(pod.Dir, "volumes", "cfg", "app.env")
	for want, put := range map[string]func() error{
		"not a regular file":              func() error { return syscall.Mkfifo(path, 0o600) },
		"larger than 1048576 bytes":       func() error { return os.WriteFile(path, make([]byte, 1<<20+1), 0o600) },
		"app.env: path escapes from pare": func() error { return os.Symlink("/etc/passwd", path) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if _, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEnvFileOfInitContainer(t *testing.T) {
	node, _ := newNode(t)
	for text, want := range map[string]string{
		"# note\n\n A='one' # why\nKEY='two words'\n": "two words",
		"KEY='several\nlines'\nOTHER='x'":             "several\nlines",
		"KEY='first'\nKEY='second'\n":                 "first",
		"KEY= 'empty'\n":                              "",
		"OTHER='x'\n":                                 "",
	} {
		pod := newPod(t, `
volumes: [{name: cfg, emptyDir: {}}]
containers: [{name: web, env: [{name: V, valueFrom: {fileKeyRef: {volumeName: cfg, path: app.env, key: KEY, optional: true}}}]}]`)
		if err := node.Volumes(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pod.Dir, "volumes", "cfg", "app.env"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, set := variables(render(t, node, pod).Env)["V"]; got != want || set != (want != "") {
			t.Errorf("%q: got %q, set: %v", text, got, set)
		}
	}
	for text, want := range map[string]string{
		"KEY=plain\n":     "couldn't parse env file: line 1: value must be enclosed in single quotes",
		"\nKEY\n":         "couldn't parse env file: line 2: missing '='",
		"KEY ='x'\n":      "couldn't parse env file: line 1: name before '=' is empty or has a space",
		"KEY='x' y\n":     "couldn't parse env file: line 1: text after the closing quote",
		"A='x'\nKEY='x\n": "couldn't parse env file: line 2: single quote is not closed",
		"OTHER='x'\n":     `environment variable key "KEY" not found in file "app.env"`,
	} {
		pod := newPod(t, `
volumes: [{name: cfg, emptyDir: {}}]
containers: [{name: web, env: [{name: V, valueFrom: {fileKeyRef: {volumeName: cfg, path: app.env, key: KEY}}}]}]`)
		if err := node.Volumes(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pod.Dir, "volumes", "cfg", "app.env"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0])
		var configError *podspec.ConfigError
		if !errors.As(err, &configError) || configError.Message != want {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
}
