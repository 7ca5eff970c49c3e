package compare

import (
	"io"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// document is what WriteJSON writes.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Same is true if every scenario ended alike.
	Same bool `json:"same"`
	// Clusters are what the two are made with, and the keys of each scenario's verdicts.
	Clusters  [2]string `json:"clusters"`
	Scenarios []entry   `json:"scenarios"`
}

type entry struct {
	Scenario string `json:"scenario"`
	Same     bool   `json:"same"`
	// Verdicts has none for a cluster that the scenario did not run on.
	Verdicts map[string]*Verdict `json:"verdicts"`
}

// WriteJSON writes all rows, the differing and the others, as one indented JSON document.
func WriteJSON(w io.Writer, c Comparison) error {
	doc := document{
		APIVersion: scenario.APIVersion, Kind: "Parity",
		Same: len(c.Differences()) == 0, Clusters: [2]string{c.Left, c.Right}, Scenarios: []entry{},
	}
	for _, r := range c.Rows {
		e := entry{Scenario: r.Scenario, Same: r.Same(), Verdicts: map[string]*Verdict{}}
		for name, v := range map[string]*Verdict{c.Left: r.Left, c.Right: r.Right} {
			if v != nil {
				e.Verdicts[name] = v
			}
		}
		doc.Scenarios = append(doc.Scenarios, e)
	}
	return scenario.EncodeJSON(w, doc)
}
