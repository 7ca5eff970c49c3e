//go:build e2e

package e2e

import (
	"bytes"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

var _ = Describe("the scenario", func() {
	for _, file := range found("scenarios", scenario.FileName) {
		It(filepath.Base(filepath.Dir(file)), func(ctx SpecContext) {
			s, err := scenario.Load(file)
			Expect(err).NotTo(HaveOccurred())
			var text bytes.Buffer
			env := lab.env
			env.Progress = scenario.NewPretty(&text, scenario.Style{})
			report, err := scenario.Run(ctx, s, env)
			Expect(err).NotTo(HaveOccurred())
			switch report.Outcome {
			case scenario.Passed:
			case scenario.Skipped:
				Skip(report.Reason)
			default:
				Fail(text.String())
			}
		})
	}
})

var _ = Describe("the lab", func() {
	for _, file := range found("labs", "lesson.md") {
		name := filepath.Base(filepath.Dir(file))
		number, _, _ := strings.Cut(name, "-")
		It(name+" fails from its start and passes with its solution", func(ctx SpecContext) {
			ingresslab(ctx, "lab", strings.TrimLeft(number, "0"))
		})
	}
})

// found lists a kind of file in the folders of the repository. It runs while the specs are being named, before the suite.
func found(folder, file string) []string {
	list, err := filepath.Glob(filepath.Join("..", folder, "*", file))
	if err != nil || len(list) == 0 {
		// A suite without scenarios would pass: it must not.
		return []string{filepath.Join("..", folder, "none-found", file)}
	}
	return list
}
