package admission

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Source is what a review is held against. Its functions may be called by several goroutines.
type Source struct {
	// Build makes the Table of the cluster as it is now, with candidate in the place of the Ingress of its name.
	Build func(candidate *networkingv1.Ingress) (*routing.Table, []routing.Problem, error)
	// Problems are those of the cluster as it is now.
	Problems func() []routing.Problem
}

// Verdict is the outcome of a review.
type Verdict struct {
	// Refused are the reasons to refuse the Ingress; empty: it is let in.
	Refused []string
	// Warnings are shown to whoever let it in (kubectl prints them).
	Warnings []string
}

// refusing are the codes of Problems that no later object can mend: the Ingress itself is wrong, or takes what another one
// has. All others become warnings. A Service or Secret that is missing is one of those: kubectl apply sends objects in any
// order, and the next one may be it.
var refusing = map[string]bool{
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

// Review says what would be wrong if the candidate were in the cluster. What is wrong already is no reason to refuse a
// change, or else nobody could mend half of an Ingress, or put a label on it; it is repeated as a warning. An Ingress of
// another class is let in without a word. The error is that of the caches.
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
		case fresh && refusing[p.Code]:
			v.Refused = append(v.Refused, text(p))
		case own:
			v.Warnings = append(v.Warnings, text(p))
		}
	}
	return v, nil
}

func isAbout(p routing.Problem, ingress types.NamespacedName) bool {
	return p.Object.Kind == "Ingress" && p.Object.Namespace == ingress.Namespace && p.Object.Name == ingress.Name
}

// anonymous is the Problem without the UID of its object: an Ingress that is made anew with the same fault gets a new one.
func anonymous(p routing.Problem) routing.Problem {
	p.Object.UID = ""
	return p
}

// text gives `ingress shop/web: spec.rules[0].host: reason`.
func text(p routing.Problem) string {
	return fmt.Sprintf("ingress %s/%s: %s: %s", p.Object.Namespace, p.Object.Name, p.Field, p.Reason)
}
