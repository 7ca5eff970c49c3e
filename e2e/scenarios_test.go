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
	// Exclusive scenarios run last, after all others are removed.
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

// hack/test-e2e.sh runs `ingresslab dev test` after this suite. This spec tests only the command.
var _ = Describe("the lab", func() {
	It("runs from its start to its solution, twice", func(ctx SpecContext) {
		for range 2 {
			Expect(ingresslab(ctx, "lab", "1")).To(ContainSubstring("lab 1 passed"))
		}
	})
})

// found lists the files of a pattern in the repository, before the suite runs.
func found(folder, file string) []string {
	list, err := filepath.Glob(filepath.Join("..", folder, "*", file))
	if err != nil || len(list) == 0 {
		// A suite without scenarios must not pass.
		return []string{filepath.Join("..", folder, "none-found", file)}
	}
	return list
}
