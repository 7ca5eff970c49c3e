package admission

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Source is the cluster state for reviews. Its functions are safe for concurrent use.
type Source struct {
	// Build returns the Table of the current cluster, with candidate instead of the Ingress of its
	// name.
	Build func(candidate *networkingv1.Ingress) (*routing.Table, []routing.Problem, error)
	// Problems returns the Problems of the current cluster.
	Problems func() []routing.Problem
}

// Verdict is the outcome of a review.
type Verdict struct {
	// Rejected has the reasons to reject the Ingress. If it is empty, the Ingress is accepted.
	Rejected []string
	// Warnings are for the user. kubectl prints them.
	Warnings []string
}

// rejecting are the codes of Problems that no later object can fix: the Ingress itself is invalid,
// or conflicts with another one. All others become warnings. For example, a missing Service or
// Secret might be the next object that kubectl apply sends.
var rejecting = map[string]bool{
	annotations.CodeInvalid:            true,
	annotations.CodeBlocked:            true,
	routing.CodeEmptyIngress:           true,
	routing.CodeInvalidHost:            true,
	routing.CodeInvalidPath:            true,
	routing.CodeRuleWithoutPaths:       true,
	routing.CodeHostPathConflict:       true,
	routing.CodeDefaultBackendConflict: true,
	routing.CodeBackendNotService:      true,
	routing.CodeInvalidPattern:         true,
	routing.CodeReferenceInvalid:       true,
	routing.CodeCrossNamespace:         true,
	routing.CodeCertificateConflict:    true,
	routing.CodeClientTLSConflict:      true,
	routing.CodeAliasConflict:          true,
}

// Review returns the Problems that the candidate would cause. A Problem that exists already is only
// a warning. Otherwise, users could not fix one of two errors in an Ingress, or add a label to it.
// An Ingress of another class is accepted without warnings. An error means that a cache failed.
func (s Source) Review(candidate *networkingv1.Ingress) (Verdict, error) {
	table, problems, err := s.Build(candidate)
	if err != nil {
		return Verdict{}, err
	}
	name := types.NamespacedName{Namespace: candidate.Namespace, Name: candidate.Name}
	if !table.Claims(name) {
		return Verdict{}, nil
	}
	known := map[routing.Problem]bool{}
	for _, p := range s.Problems() {
		known[anonymous(p)] = true
	}
	var v Verdict
	for _, p := range problems {
		own := isAbout(p, name)
		switch fresh := !known[anonymous(p)]; {
		case fresh && rejecting[p.Code]:
			v.Rejected = append(v.Rejected, text(p))
		case own:
			v.Warnings = append(v.Warnings, text(p))
		}
	}
	return v, nil
}

func isAbout(p routing.Problem, ingress types.NamespacedName) bool {
	return p.Object.Kind == "Ingress" && p.Object.Namespace == ingress.Namespace && p.Object.Name == ingress.Name
}

// anonymous returns the Problem without the UID of its object, which changes if the Ingress is
// created again.
func anonymous(p routing.Problem) routing.Problem {
	p.Object.UID = ""
	return p
}

// text returns `ingress shop/web: spec.rules[0].host: reason`.
func text(p routing.Problem) string {
	return fmt.Sprintf("ingress %s/%s: %s: %s", p.Object.Namespace, p.Object.Name, p.Field, p.Reason)
}
