package labtest

import (
	"io"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// document is what WriteJSON writes.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	*Report
}

// WriteJSON writes a report as one indented JSON document of the kind Proof.
func WriteJSON(w io.Writer, report *Report) error {
	return scenario.EncodeJSON(w, document{scenario.APIVersion, "Proof", report})
}
