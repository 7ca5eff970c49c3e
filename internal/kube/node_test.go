package kube

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// testNodes returns nodes n0, n1, ... that are Ready or not.
func testNodes(ready []bool) []corev1.Node {
	var nodes []corev1.Node
	for i, r := range ready {
		cond := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue}
		if !r {
			cond = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "NetworkNotReady", Message: "no network"}
		}
		n := corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{cond}}}
		n.Name = fmt.Sprintf("n%d", i)
		nodes = append(nodes, n)
	}
	return nodes
}

func TestCheckNodesNamesNodeThatIsNotReady(t *testing.T) {
	for name, c := range map[string]struct {
		ready []bool
		want  string
	}{
		"all":     {[]bool{true, true}, "<nil>"},
		"missing": {[]bool{true}, "1 of 2 nodes have joined"},
		"one":     {[]bool{true, false}, "node n1: NetworkNotReady: no network"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkNodes(testNodes(c.ready), 2)
			if got := fmt.Sprint(err); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
