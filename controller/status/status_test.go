package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/ingresslab/ingresslab/controller/routing"
)

func show(list []address) string {
	var all []string
	for _, one := range list {
		all = append(all, one.IP+one.Hostname)
	}
	return strings.Join(all, " ")
}

func TestServiceAddresses(t *testing.T) {
	balanced := corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.2"}, {IP: "192.0.2.1"}, {IP: "192.0.2.2"}}}
	for name, test := range map[string]struct {
		spec   corev1.ServiceSpec
		status corev1.LoadBalancerStatus
		want   string
	}{
		"load balancer": {corev1.ServiceSpec{Type: "LoadBalancer", ClusterIP: "10.96.0.1"}, balanced, "192.0.2.1 192.0.2.2"},
		"pending load balancer": {corev1.ServiceSpec{Type: "LoadBalancer", ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1"}},
			corev1.LoadBalancerStatus{}, ""},
		"load balancer and external": {corev1.ServiceSpec{Type: "LoadBalancer", ExternalIPs: []string{"203.0.113.1"}}, balanced,
			"192.0.2.1 192.0.2.2 203.0.113.1"},
		"cluster IP of both families": {corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "10.96.0.1",
			ClusterIPs: []string{"10.96.0.1", "fd00::1"}}, corev1.LoadBalancerStatus{}, "10.96.0.1 fd00::1"},
		"external address of NodePort": {corev1.ServiceSpec{Type: "NodePort", ClusterIPs: []string{"10.96.0.1"},
			ExternalIPs: []string{"203.0.113.1"}}, corev1.LoadBalancerStatus{}, "203.0.113.1"},
		"headless": {corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "None", ClusterIPs: []string{"None"}},
			corev1.LoadBalancerStatus{}, ""},
		"external name": {corev1.ServiceSpec{Type: "ExternalName", ExternalName: "lb.example.com"}, corev1.LoadBalancerStatus{},
			"lb.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			service := &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: "front"}, Spec: test.spec,
				Status: corev1.ServiceStatus{LoadBalancer: test.status},
			}
			source := &serviceSource{o: Options{Client: fake.NewClientset(service), Service: types.NamespacedName{Namespace: "edge", Name: "front"}}}
			if err := source.start(t.Context(), func() {}); err != nil {
				t.Fatal(err)
			}
			got, err := source.addresses(t.Context())
			if err != nil || show(got) != test.want || show(source.last()) != test.want {
				t.Errorf("got %q, %v, want %q", show(got), err, test.want)
			}
		})
	}
}

func TestNodeAddressesPreferExternal(t *testing.T) {
	node := func(addresses ...string) *corev1.Node {
		n := &corev1.Node{}
		for _, one := range addresses {
			kind, value, _ := strings.Cut(one, "=")
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeAddressType(kind), Address: value})
		}
		return n
	}
	for _, test := range []struct {
		node *corev1.Node
		want string
	}{
		{node("Hostname=n", "InternalIP=172.30.0.1", "ExternalIP=192.0.2.1"), "192.0.2.1"},
		{node("Hostname=n", "InternalIP=172.30.0.1", "InternalIP=fd00::1"), "172.30.0.1 fd00::1"},
		{node("Hostname=n"), ""},
	} {
		if got := show(nodeAddresses(test.node)); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// The controller must not clear the status of another controller.
func TestOnlyOwnStatusIsCleared(t *testing.T) {
	ours := parse([]string{"192.0.2.1", "192.0.2.2"})
	for now, want := range map[string]string{
		"192.0.2.1 192.0.2.2": "", "192.0.2.2": "", "": "",
		"203.0.113.9": "203.0.113.9", "192.0.2.1 203.0.113.9": "192.0.2.1 203.0.113.9",
	} {
		if got := show(without(parse(strings.Fields(now)), ours)); got != want {
			t.Errorf("%q becomes %q, want %q", now, got, want)
		}
	}
}

func problem(reason string) routing.Problem {
	return routing.Problem{
		Object: routing.ObjectRef{Kind: "Ingress", Namespace: "shop", Name: "web", UID: "u"},
		Field:  "spec.rules[0]", Code: "Odd", Reason: routing.Because(routing.PathMalformed, "text", reason),
	}
}

func gone(routing.ObjectRef) bool  { return false }
func there(routing.ObjectRef) bool { return true }

func TestSolvedProblemGetsEvent(t *testing.T) {
	client := fake.NewClientset()
	events := newEvents(Options{Client: client})
	elsewhere := problem("a")
	elsewhere.Field = "spec.tls"
	for _, round := range [][]routing.Problem{{problem("a"), elsewhere}, {problem("b")}, {problem("b")}} {
		if err := events.report(t.Context(), round, there); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var solved []string
	for _, event := range list.Items {
		if event.Type == "Normal" {
			solved = append(solved, event.Reason+" "+event.Message)
		}
	}
	// spec.rules[0] still has a Problem, with another reason.
	if want := "[ProblemSolved solved: Odd: spec.tls: a]"; fmt.Sprint(solved) != want {
		t.Errorf("got %s, want %s", solved, want)
	}
}

func TestSolvedProblemIsNewWhenItReturns(t *testing.T) {
	client := fake.NewClientset()
	events := newEvents(Options{Client: client, Identity: "c-1"})
	for _, round := range [][]routing.Problem{{problem("a")}, {problem("a")}, nil, {problem("a")}, {problem("a"), problem("b")}} {
		if err := events.report(t.Context(), round, gone); err != nil {
			t.Fatal(err)
		}
	}
	var did []string
	for _, action := range client.Actions() {
		did = append(did, action.GetVerb())
	}
	// The Event of "a" still exists when it returns, so only its time changes.
	if got := fmt.Sprint(did); got != "[create create patch create]" {
		t.Errorf("got %s", got)
	}
}

func TestLastingProblemIsRenewed(t *testing.T) {
	client := fake.NewClientset()
	events := newEvents(Options{Client: client})
	_ = events.report(t.Context(), []routing.Problem{problem("a")}, gone)
	events.written[problem("a")] = time.Now().Add(-renewAfter - time.Second)
	_ = events.report(t.Context(), []routing.Problem{problem("a")}, gone)
	if actions := client.Actions(); len(actions) != 3 || actions[2].GetVerb() != "patch" {
		t.Errorf("got %v", actions)
	}
}

func TestLongMessageIsCutBetweenRunes(t *testing.T) {
	event := newEvents(Options{}).event(problem(strings.Repeat("é", 2000)), metav1.Now())
	if n := len(event.Message); n > maxMessage || n < maxMessage-4 {
		t.Errorf("%d bytes", n)
	}
	if strings.ToValidUTF8(event.Message, "?") != event.Message || !strings.HasSuffix(event.Message, "...") {
		t.Errorf("cut inside a rune: %q", event.Message[maxMessage-10:])
	}
}
