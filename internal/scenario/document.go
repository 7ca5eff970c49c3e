package scenario

import (
	"encoding/json"
	"encoding/xml"
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

// EncodeJUnit writes a report whose type has the elements and attributes of JUnit as one indented XML document.
func EncodeJUnit(w io.Writer, document any) error {
	data, err := xml.MarshalIndent(document, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	}
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}
