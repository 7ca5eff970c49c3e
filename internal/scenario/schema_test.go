package scenario_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

var update = flag.Bool("update", false, "update the files that tests compare with")

const schemaFile = "../../scenarios/scenario.schema.json"

// TestSchemaIsCurrent keeps the schema that editors use from falling behind the types. `go
// generate` writes it.
func TestSchemaIsCurrent(t *testing.T) {
	got, err := scenario.Schema(".")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say: run `go generate ./internal/scenario`", schemaFile)
	}
}
