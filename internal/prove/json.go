package prove

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// document is what WriteJSON writes.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	*Proof
}

// WriteJSON writes a proof as one indented JSON document of the kind Proof.
func WriteJSON(w io.Writer, proof *Proof) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document{scenario.APIVersion, "Proof", proof}); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}
