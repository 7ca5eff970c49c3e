package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const slice = `
kind: EndpointSlice
metadata: {namespace: shop, name: api--1}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: ask, port: 5353, protocol: UDP}]
endpoints:
- {addresses: [10.244.0.2], nodeName: one, conditions: {ready: true}}
- {addresses: [10.244.1.2], nodeName: two, conditions: {ready: true}}
- {addresses: [10.244.1.3], nodeName: two, conditions: {ready: false, serving: false}}
- {addresses: [10.244.1.4], nodeName: two, conditions: {ready: false, serving: true, terminating: true}}
`

// Each case is a Service and its slices, and who answers where.
func TestPlan(t *testing.T) {
	cases := map[string]struct{ objects, want string }{
		"a virtual address, by the names of ports": {
			service("clusterIP: 10.96.1.1", "{name: http, port: 80, targetPort: web}", "{name: ask, port: 53, protocol: UDP}") + slice,
			`10.96.1.1:53/UDP -> 10.244.0.2:5353 10.244.1.2:5353
			 10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080`,
		},
		"a port that no slice has": {service("clusterIP: 10.96.1.1", "{name: other, port: 80}") + slice, ""},
		"no slices":                {strings.TrimSuffix(service("clusterIP: 10.96.1.1", "{name: http, port: 80}"), "---\n"), ""},
		"headless":                 {service("clusterIP: None", "{name: http, port: 80}") + slice, ""},
		"an external name":         {service("type: ExternalName, externalName: example.test", "{name: http, port: 80}") + slice, ""},
		"IPv6 beside IPv4": {
			service("clusterIP: 'fd00::1', clusterIPs: ['fd00::1', 10.96.1.1]", "{name: http, port: 80}") + slice,
			"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080",
		},
		"a node port on every node": {
			service("type: NodePort, clusterIP: 10.96.1.1", "{name: http, port: 80, nodePort: 30080}") + slice,
			`10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080
			 one:30080/TCP -> 10.244.0.2:8080 10.244.1.2:8080
			 two:30080/TCP -> 10.244.0.2:8080 10.244.1.2:8080`,
		},
		"a node port where endpoints are": {
			service("type: NodePort, clusterIP: 10.96.1.1, externalTrafficPolicy: Local", "{name: http, port: 80, nodePort: 30080}") +
				strings.ReplaceAll(slice, "nodeName: one", "nodeName: two"),
			`10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080
			 two:30080/TCP -> 10.244.0.2:8080 10.244.1.2:8080`,
		},
		"endpoints of the client's own node": {
			service("clusterIP: 10.96.1.1, internalTrafficPolicy: Local", "{name: http, port: 80}") + slice,
			"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080 (from one: 10.244.0.2:8080) (from two: 10.244.1.2:8080)",
		},
		"only one that is leaving": {
			service("clusterIP: 10.96.1.1", "{name: http, port: 80}") + strings.ReplaceAll(slice, "ready: true", "ready: false, serving: false"),
			"10.96.1.1:80/TCP -> 10.244.1.4:8080",
		},
		"nobody says whether it is ready": {
			service("clusterIP: 10.96.1.1", "{name: http, port: 80}") + strings.ReplaceAll(slice, "ready: true", ""),
			"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080",
		},
		"an endpoint in two slices": {
			service("clusterIP: 10.96.1.1", "{name: http, port: 80}") + slice + "\n---\n" + strings.ReplaceAll(slice, "api--1", "api--2"),
			"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080",
		},
		"affinity": {
			service("clusterIP: 10.96.1.1, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}", "{name: http, port: 80}") + slice,
			"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080 for 1m0s",
		},
		"a protocol that is not carried spoils no other": {
			service("clusterIP: 10.96.1.1", "{name: http, port: 80}", "{name: x, port: 90, protocol: SCTP}") + slice,
			`10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080
			 port 90: protocol SCTP is not carried`,
		},
		"an address that is not ours": {
			service("clusterIP: 192.168.1.1", "{name: http, port: 80}") + slice, "port 80: 192.168.1.1 is not in 10.96.0.0/16",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := manifests(t, test.objects)
			k := key{"shop", "api"}
			answers, problems := plan(c.services[k], c.slices[k], []string{"one", "two"})
			var lines []string
			for f, a := range answers {
				lines = append(lines, f.String()+" -> "+describe(a))
			}
			for _, problem := range problems {
				lines = append(lines, problem.Error())
			}
			slices.Sort(lines)
			var want []string
			for line := range strings.Lines(test.want) {
				want = append(want, strings.TrimSpace(line))
			}
			if !slices.Equal(lines, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func service(spec string, ports ...string) string {
	return "kind: Service\nmetadata: {namespace: shop, name: api}\nspec: {" + spec + ", ports: [" + strings.Join(ports, ", ") + "]}\n---\n"
}

func describe(a answer) string {
	var words []string
	for _, e := range a.endpoints {
		words = append(words, e.String())
	}
	for _, node := range []string{"one", "two"} {
		if local, ok := a.local[node]; ok {
			words = append(words, "(from "+node+":", strings.Trim(fmt.Sprint(local), "[]")+")")
		}
	}
	if a.affinity > 0 {
		words = append(words, "for", a.affinity.String())
	}
	return strings.Join(words, " ")
}
