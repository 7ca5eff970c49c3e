package diagnosis

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

// hint has the levels for one code. An empty Fix means that the finding itself says how to fix the
// fault.
type hint struct{ Code, Question, Look, Fix string }

//go:embed hints.yaml
var hintFile []byte

// hints returns the hints, in the order in which a student should fix the findings. The tests
// read the same embedded file, so it is valid.
var hints = sync.OnceValue(func() (all []hint) {
	_ = yaml.UnmarshalStrict(hintFile, &all)
	return all
})

// Codes returns the codes in the order in which a student should fix them: first what everything
// else depends on.
func Codes() []string { return names(hints(), func(h *hint) string { return h.Code }) }

// Levels returns the three hint levels of a finding: a question, where to look, and the answer.
func (f Finding) Levels() []string {
	at := slices.IndexFunc(hints(), func(h hint) bool { return h.Code == f.Code })
	if at < 0 {
		at = len(hints()) - 1 // ControllerSays
	}
	h := hints()[at]
	kind, name, _ := strings.Cut(f.Object, "/")
	if f.Expected == name && (f.Code == IngressMissing || f.Code == ServiceMissing) {
		plural := map[string]string{"ingress": "ingresses", "service": "services"}[kind]
		h.Question = "Does an object of that kind and name exist in the namespace of the lab?"
		h.Look = fmt.Sprintf("`kubectl get %s --all-namespaces` lists them with their namespaces.", plural)
		h.Fix = fmt.Sprintf("Create one with the name %s. If you have it under another name, or in another namespace, delete that one.", name)
	}
	answer := strings.TrimSuffix(sentence(f.Text)+" "+h.Fix, " ")
	if f.Field != "" && f.Expected != "" {
		answer += fmt.Sprintf(" In %s, %s must be: %s.", f.Object, f.Field, f.Expected)
	}
	return []string{h.Question, h.Look, answer}
}
