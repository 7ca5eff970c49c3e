//go:build e2e

package e2e

import (
	"cmp"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

var _ = Describe("the scenario", Ordered, ContinueOnFailure, func() {
	var all []*scenario.Scenario
	for _, file := range found("scenarios", scenario.FileName) {
		s, err := scenario.Load(file)
		if err != nil {
			It(filepath.Base(filepath.Dir(file)), func() { Expect(err).NotTo(HaveOccurred()) })
			continue
		}
		all = append(all, s)
	}
	// Exclusive ones last: they wait for all others, and nothing of theirs that still goes away is
	// in anybody's way.
	slices.SortStableFunc(all, func(a, b *scenario.Scenario) int { return cmp.Compare(exclusive(a), exclusive(b)) })
	pool := newPool(all)
	for _, s := range all {
		It(s.Metadata.Name, func(ctx SpecContext) {
			report, text, err := pool.result(ctx, s)
			Expect(err).NotTo(HaveOccurred())
			switch report.Outcome {
			case scenario.Passed:
			case scenario.Skipped:
				Skip(report.Reason)
			default:
				Fail(text)
			}
		})
	}
})

func exclusive(s *scenario.Scenario) int {
	if s.Exclusive {
		return 1
	}
	return 0
}

// What a lab is worth, `ingresslab dev test` shows, which hack/test-e2e.sh runs after this suite.
// Here is whether the command works.
var _ = Describe("the lab", func() {
	It("runs from its start to its solution, twice", func(ctx SpecContext) {
		for range 2 {
			Expect(ingresslab(ctx, "lab", "1")).To(ContainSubstring("lab 1 passed"))
		}
	})
})

// found lists a kind of file in the folders of the repository. It runs while the specs are being
// named, before the suite.
func found(folder, file string) []string {
	list, err := filepath.Glob(filepath.Join("..", folder, "*", file))
	if err != nil || len(list) == 0 {
		// A suite without scenarios would pass: it must not.
		return []string{filepath.Join("..", folder, "none-found", file)}
	}
	return list
}
