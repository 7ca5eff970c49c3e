package lab_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// TestExamplesHaveNoFaults reads the scenario and the lab that docs/authoring.md explains.
func TestExamplesHaveNoFaults(t *testing.T) {
	faults, files, err := lab.Lint([]string{"../../docs/examples"})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("looked at %v", files)
	}
	for _, f := range faults {
		t.Error(f)
	}
}
