package scenario_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

func TestSeedDeterminesRunName(t *testing.T) {
	s := load(t, "- apply: web.yaml\n")
	c, http := fakecluster.New(t)
	run := func(seed uint64, keep bool) *scenario.Report {
		report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http, Seed: seed, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	first, again, other, drawn := run(7, false), run(7, true), run(8, false), run(0, false)
	if first.Run != again.Run || first.Seed != 7 || first.Run == other.Run || drawn.Seed == 0 {
		t.Errorf("seed 7 makes runs %s and %s, seed 8 %s, none %s of seed %d", first.Run, again.Run, other.Run, drawn.Run, drawn.Seed)
	}
	// The namespace of the second run is still there.
	if beside, repeated := run(7, false), run(7, false); beside.Run == first.Run || repeated.Run != beside.Run {
		t.Errorf("beside run %s, seed 7 makes runs %s and %s", first.Run, beside.Run, repeated.Run)
	}
}
