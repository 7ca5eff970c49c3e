package lab_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// docs/authoring.md explains these files.
func TestExamplesAreValid(t *testing.T) {
	faults, files, err := lab.Lint([]string{"../../docs/examples"})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("checked %v", files)
	}
	for _, f := range faults {
		t.Error(f)
	}
}
