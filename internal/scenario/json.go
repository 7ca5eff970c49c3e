package scenario

import (
	"io"
)

// Reports is what WriteJSON writes: a document that can grow.
type Reports struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Outcome is the worst of the reports' outcomes.
	Outcome Outcome   `json:"outcome"`
	Reports []*Report `json:"reports"`
}

// WriteJSON writes reports as one indented JSON document.
func WriteJSON(w io.Writer, reports []*Report) error {
	doc := Reports{APIVersion: APIVersion, Kind: "Reports", Outcome: WorstOf(reports), Reports: reports}
	if doc.Reports == nil {
		doc.Reports = []*Report{}
	}
	return EncodeJSON(w, doc)
}

// WorstOf returns the worst outcome of reports.
func WorstOf(reports []*Report) Outcome {
	var outcomes []Outcome
	for _, r := range reports {
		outcomes = append(outcomes, r.Outcome)
	}
	return Worst(outcomes...)
}
