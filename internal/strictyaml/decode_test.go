package strictyaml_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

type cheese struct {
	Name   string            `yaml:"name"`
	Age    int               `yaml:"age"`
	Fat    float64           `yaml:"fat"`
	Blue   bool              `yaml:"blue"`
	Milk   []string          `yaml:"milk"`
	Labels map[string]string `yaml:"labels"`
	Rind   *rind             `yaml:"rind"`
	Grade  grade             `yaml:"grade"`
	Wheels []rind            `yaml:"wheels"`
}

type rind struct {
	Color string `yaml:"color"`
}

func (rind) UnknownField(name string) string { return "a rind has no " + name }

type grade string

func (g *grade) UnmarshalText(text []byte) error {
	if s := string(text); s != "mild" && s != "strong" {
		return fmt.Errorf("%q is not a grade: mild or strong", s)
	}
	*g = grade(text)
	return nil
}

func TestDecodeFillsAllFieldTypes(t *testing.T) {
	const doc = `
name: stilton
age: 9
blue: true
milk: cow
fat: 32.5
labels: {county: Derbyshire, eggs: 0}
rind: {color: grey}
grade: strong
wheels: [{color: brown}, {color: green}]
`
	var got cheese
	positions, diagnostics := strictyaml.Decode("c.yaml", []byte(doc), 1, &got)
	if len(diagnostics) > 0 {
		t.Fatalf("diagnostics for a valid document:\n%v", diagnostics)
	}
	want := cheese{
		Name: "stilton", Age: 9, Fat: 32.5, Blue: true, Milk: []string{"cow"}, Labels: map[string]string{"county": "Derbyshire", "eggs": "0"},
		Rind: &rind{"grey"}, Grade: "strong", Wheels: []rind{{"brown"}, {"green"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if at := positions.At("wheels[1].color"); at.Line != 10 || at.Column != 27 {
		t.Errorf("wheels[1].color is at %+v, want line 10, column 27", at)
	}
	if at := positions.At("rind.thickness"); at.Line != 8 {
		t.Errorf("a missing field is at %+v, want the field around it, line 8", at)
	}
}

// TestDecodeGolden reads testdata/*.txtar: a file and its diagnostics.
func TestDecodeGolden(t *testing.T) {
	goldens, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, golden := range goldens {
		t.Run(filepath.Base(golden), func(t *testing.T) {
			archive, err := txtar.ParseFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			var into cheese
			_, diagnostics := strictyaml.Decode(archive.Files[0].Name, archive.Files[0].Data, 1, &into)
			got := strings.TrimSpace(diagnostics.Error())
			if want := strings.TrimSpace(string(archive.Files[1].Data)); got != want {
				t.Errorf("diagnostics:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestDecodeCountsLinesFromFirstLine(t *testing.T) {
	var into cheese
	_, diagnostics := strictyaml.Decode("lesson.md", []byte("nam: x\n"), 40, &into)
	if len(diagnostics) != 1 || diagnostics[0].Line != 40 {
		t.Errorf("diagnostics for a part from line 40: %v", diagnostics)
	}
	_, diagnostics = strictyaml.Decode("lesson.md", []byte("name: x\nage: [\n"), 40, &into)
	if len(diagnostics) != 1 || diagnostics[0].Line < 41 {
		t.Errorf("syntax error in a part from line 40: %v", diagnostics)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"host-routing", "path-routing", "expect", "wait", "status"}
	for name, want := range map[string]string{
		"host-ruoting": "host-routing", "hostrouting": "host-routing", "host": "host-routing", "HOST-ROUTING": "host-routing",
		"éxpect": "expect", "é": "", "exepct": "expect", "wiat": "wait", "stauts": "status",
		"kubernetes": "", "x": "", "routing": "", "": "",
	} {
		if got := strictyaml.Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
