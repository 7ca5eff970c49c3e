// Package diagnosis finds out why a request does not arrive where it should: it looks at the objects that a route is made of, as
// they are in the cluster, and names what is wrong with them, in the order in which a person would mend it.
package diagnosis

// Finding is one thing that is wrong.
type Finding struct {
	// Code says what sort of fault it is; Codes lists them.
	Code string `json:"code"`
	// Object has the fault, as kind/name: "ingress/cheddar".
	Object string `json:"object"`
	// Field is where in the object, as kubectl explain writes it: "spec.rules[0].host"; empty if it is not a field.
	Field string `json:"field,omitempty"`
	// Expected and Observed are what the field would have to be and what it is, as far as that can be said.
	Expected string `json:"expected,omitempty"`
	Observed string `json:"observed,omitempty"`
	// Text is a sentence for a student, which names object and field.
	Text string `json:"text"`
}
