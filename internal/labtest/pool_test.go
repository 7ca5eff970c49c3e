package labtest

import (
	"context"
	"testing"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// A failed item runs again alone. The report has both attempts.
func TestFailedItemRunsAgainAlone(t *testing.T) {
	t.Parallel()
	failed := &Item{Name: "spoiled", Outcome: scenario.Failed}
	passed := &Item{Name: "fine", Outcome: scenario.Passed}
	var told []string
	teller := &teller{tell: func(i *Item) { told = append(told, i.Name) }}
	tries := 0
	fresh := func(name string) *job {
		return &job{item: &Item{Name: name}, test: func(context.Context) { tries++ }}
	}
	items := []*Item{failed, passed}
	teller.again(t.Context(), &items[0], fresh("spoiled"))
	teller.again(t.Context(), &items[1], fresh("fine"))
	if tries != 1 || items[1] != passed || len(told) != 1 {
		t.Errorf("%d tries, told of %v", tries, told)
	}
	if items[0].Outcome != scenario.Passed || items[0].First != failed {
		t.Errorf("the second try is not in the place of the first: %+v", items[0])
	}
}
