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
ports: [{name: http, port: 8080, protocol: TCP}, {name: dns, port: 5353, protocol: UDP}]
endpoints:
- {addresses: [10.244.0.2], nodeName: one, conditions: {ready: true}}
- {addresses: [10.244.1.2], nodeName: two, conditions: {ready: true}}
- {addresses: [10.244.1.3], nodeName: two, conditions: {ready: false, serving: false}}
- {addresses: [10.244.1.4], nodeName: two, conditions: {ready: false, serving: true, terminating: true}}
`

// planCases maps each case to its objects and to the forwards and problems that plan returns, one per line.
var planCases = map[string]struct{ objects, want string }{
	"cluster IP, ports matched by name": {
		service("clusterIP: 10.96.1.1", "{name: http, port: 80, targetPort: web}", "{name: dns, port: 53, protocol: UDP}") + slice,
		`10.96.1.1:53/UDP -> 10.244.0.2:5353 10.244.1.2:5353
		 10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080`,
	},
	"port missing from slices": {service("clusterIP: 10.96.1.1", "{name: other, port: 80}") + slice, ""},
	"no slices":                {strings.TrimSuffix(service("clusterIP: 10.96.1.1", "{name: http, port: 80}"), "---\n"), ""},
	"headless":                 {service("clusterIP: None", "{name: http, port: 80}") + slice, ""},
	"ExternalName":             {service("type: ExternalName, externalName: example.test", "{name: http, port: 80}") + slice, ""},
	"dual stack": {
		service("clusterIP: 'fd00::1', clusterIPs: ['fd00::1', 10.96.1.1]", "{name: http, port: 80}") + slice,
		"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080",
	},
	"node port on every node": {
		service("type: NodePort, clusterIP: 10.96.1.1", "{name: http, port: 80, nodePort: 30080}") + slice,
		`10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080
		 one:30080/TCP -> 10.244.0.2:8080 10.244.1.2:8080
		 two:30080/TCP -> 10.244.0.2:8080 10.244.1.2:8080`,
	},
	"node port with externalTrafficPolicy Local": {
		service("type: NodePort, clusterIP: 10.96.1.1, externalTrafficPolicy: Local", "{name: http, port: 80, nodePort: 30080}") +
			strings.ReplaceAll(slice, "nodeName: one", "nodeName: two"),
		`10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080
		 two:30080/TCP -> 10.244.0.2:8080 10.244.1.2:8080`,
	},
	"internalTrafficPolicy Local": {
		service("clusterIP: 10.96.1.1, internalTrafficPolicy: Local", "{name: http, port: 80}") + slice,
		"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080 (from one: 10.244.0.2:8080) (from two: 10.244.1.2:8080)",
	},
	"only a terminating endpoint": {
		service("clusterIP: 10.96.1.1", "{name: http, port: 80}") + strings.ReplaceAll(slice, "ready: true", "ready: false, serving: false"),
		"10.96.1.1:80/TCP -> 10.244.1.4:8080",
	},
	"no ready condition": {
		service("clusterIP: 10.96.1.1", "{name: http, port: 80}") + strings.ReplaceAll(slice, "ready: true", ""),
		"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080",
	},
	"same endpoint in two slices": {
		service("clusterIP: 10.96.1.1", "{name: http, port: 80}") + slice + "\n---\n" + strings.ReplaceAll(slice, "api--1", "api--2"),
		"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080",
	},
	"session affinity": {
		service("clusterIP: 10.96.1.1, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}",
			"{name: http, port: 80}") + slice,
		"10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080 for 1m0s",
	},
	"unsupported protocol does not affect other ports": {
		service("clusterIP: 10.96.1.1", "{name: http, port: 80}", "{name: x, port: 90, protocol: SCTP}") + slice,
		`10.96.1.1:80/TCP -> 10.244.0.2:8080 10.244.1.2:8080
		 port 90: protocol SCTP is not supported`,
	},
	"cluster IP outside the range": {
		service("clusterIP: 192.168.1.1", "{name: http, port: 80}") + slice, "port 80: 192.168.1.1 is not in 10.96.0.0/16",
	},
}

func TestPlan(t *testing.T) {
	for name, test := range planCases {
		t.Run(name, func(t *testing.T) {
			c := manifests(t, test.objects)
			k := key{"shop", "api"}
			planned, problems := plan(c.services[k], c.slices[k], []string{"one", "two"})
			var lines []string
			for f, b := range planned {
				lines = append(lines, f.String()+" -> "+describe(b))
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

func describe(b backends) string {
	var words []string
	for _, e := range b.endpoints {
		words = append(words, e.String())
	}
	for _, node := range []string{"one", "two"} {
		if local, ok := b.local[node]; ok {
			words = append(words, "(from "+node+":", strings.Trim(fmt.Sprint(local), "[]")+")")
		}
	}
	if b.affinity > 0 {
		words = append(words, "for", b.affinity.String())
	}
	return strings.Join(words, " ")
}
