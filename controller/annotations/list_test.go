package annotations_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// The list is the documentation, so it must be whole.
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
	}
	for name, e := range byName {
		if e.With == "" {
			continue
		}
		if base, ok := byName[e.With]; !ok || base.With != "" {
			t.Errorf("%s refines %q, which is not in the list or refines something itself", name, e.With)
		}
		if e.Support == annotations.Closes {
			t.Errorf("%s is a protection; it must close the route by itself", name)
		}
	}
}

// Whatever somebody has in his manifests has a consequence that can be told: an effect, a Fault, or a reason to be silent
// that is written in the list.
func TestEveryEntryHasItsConsequence(t *testing.T) {
	for _, e := range annotations.List() {
		o, faults := parse(e.Name, "true-but-odd")
		switch {
		case e.Support == annotations.Closes && o.Closed == "":
			t.Errorf("%s leaves the route open", e.Name)
		case e.Support != annotations.Closes && o.Closed != "":
			t.Errorf("%s closes the route", e.Name)
		case e.With == "" && len(faults) != 1:
			t.Errorf("%s: got %v, want one fault", e.Name, faults)
		case e.With != "" && len(faults) != 0:
			t.Errorf("%s: got %v, want silence", e.Name, faults)
		}
	}
}

// Changing the copy must not change the list.
func TestListIsACopy(t *testing.T) {
	annotations.List()[0].Name = "changed"
	if annotations.List()[0].Name == "changed" {
		t.Error("List hands out its own array")
	}
}

func TestSupportReads(t *testing.T) {
	for s, want := range map[annotations.Support]string{
		annotations.NoEffect: "no effect", annotations.Supported: "supported", annotations.Closes: "closes the route",
	} {
		if s.String() != want {
			t.Errorf("%d reads %q, want %q", s, s, want)
		}
	}
}
