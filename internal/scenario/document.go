package scenario

import (
	"encoding/json"
	"fmt"
	"io"
)

// EncodeJSON writes a report, of scenarios or of what stands on them, as one indented JSON document.
func EncodeJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // "->" is meant to be read
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}
