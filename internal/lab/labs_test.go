package lab_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// TestOwnLabsAndScenariosHaveNoFaults reads every lab and every scenario of the project, as `ingresslab dev lint` does.
func TestOwnLabsAndScenariosHaveNoFaults(t *testing.T) {
	faults, files, err := lab.Lint([]string{"../../labs", "../../scenarios"})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Errorf("looked at %v only", files)
	}
	for _, f := range faults {
		t.Error(f)
	}
}
