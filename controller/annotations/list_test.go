package annotations_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// The documentation is generated from the list, so the list must be complete.
func TestListIsConsistent(t *testing.T) {
	byName := map[string]annotations.Entry{}
	for _, e := range annotations.List() {
		if _, twice := byName[e.Name]; twice {
			t.Errorf("%s is in the list twice", e.Name)
		}
		byName[e.Name] = e
		if e.Group == "" || e.Note == "" {
			t.Errorf("%s has no group or no note", e.Name)
		}
		if (e.Support == annotations.Supported) != (e.Values != "") {
			t.Errorf("%s is %s and has the values %q", e.Name, e.Support, e.Values)
		}
	}
	for name, e := range byName {
		if e.With == "" {
			continue
		}
		if base, ok := byName[e.With]; !ok || base.With != "" {
			t.Errorf("%s needs %q, which is not in the list or needs another annotation", name, e.With)
		}
		if e.Support == annotations.Blocks {
			t.Errorf("%s is a security annotation; it must block the route without another annotation", name)
		}
	}
}

// A change of the copy must not change the list.
func TestListReturnsCopy(t *testing.T) {
	annotations.List()[0].Name = "changed"
	if annotations.List()[0].Name == "changed" {
		t.Error("List returns its own array")
	}
}

func TestSupportString(t *testing.T) {
	for s, want := range map[annotations.Support]string{
		annotations.NoEffect: "no effect", annotations.Supported: "supported", annotations.Blocks: "blocks the route",
	} {
		if s.String() != want {
			t.Errorf("%d: got %q, want %q", s, s, want)
		}
	}
}
