package lab_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
)

func TestLabsAndScenariosAreValid(t *testing.T) {
	faults, files, err := lab.Lint([]string{"../../labs", "../../scenarios"})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Errorf("checked only %v", files)
	}
	for _, f := range faults {
		t.Error(f)
	}
}
