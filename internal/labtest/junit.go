package labtest

import (
	"fmt"
	"io"
	"strings"

	"github.com/ingresslab/ingresslab/internal/junit"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// WriteJUnit writes a report as a JUnit XML document. A cluster that did not start is a suite with one case.
func WriteJUnit(w io.Writer, report *Report) error {
	var suites []junit.Suite
	total := 0.0
	for _, place := range report.Places {
		suites = append(suites, suitesOf(place)...)
		total += place.Seconds
	}
	return junit.Write(w, suites, total)
}

func suitesOf(place *ClusterReport) []junit.Suite {
	if len(place.Items) == 0 {
		whole := Part{Text: "the cluster", Outcome: place.Outcome, Reason: place.Reason}
		return []junit.Suite{suiteOf(place.Provider, &Item{Started: place.Started, Parts: []Part{whole}})}
	}
	var suites []junit.Suite
	for _, item := range place.Items {
		of := *item
		if len(of.Parts) == 0 {
			of.Parts = []Part{{Text: "all of it", File: item.File, Outcome: item.Outcome, Reason: item.Reason}}
		}
		suites = append(suites, suiteOf(place.Provider+": "+item.title(), &of))
	}
	return suites
}

func suiteOf(name string, item *Item) junit.Suite {
	suite := junit.Suite{Name: name, File: item.File, Timestamp: junit.Time(item.Started)}
	for _, part := range item.Parts {
		suite.Cases = append(suite.Cases, caseOf(name, part))
	}
	return suite.Took(item.Seconds)
}

func caseOf(class string, part Part) junit.Case {
	c := junit.Case{Name: part.Text, Class: class, File: part.File, Line: part.Line, Seconds: junit.Seconds(part.Seconds)}
	if part.Seen != "" {
		c.Output = &junit.Text{Text: part.Seen}
	}
	if part.Kind == KindMutant {
		c.Name = fmt.Sprintf("mutant %q is caught", part.Text)
	}
	var lines []string
	for _, fault := range part.Faults {
		lines = append(lines, fault.String())
	}
	problem := &junit.Problem{Message: part.Reason, Text: strings.Join(lines, "\n")}
	if problem.Message == "" && len(lines) > 0 {
		problem.Message = lines[0]
	}
	switch part.Outcome {
	case scenario.Passed:
	case scenario.Skipped:
		c.Skipped = problem
	case scenario.Failed, scenario.TimedOut:
		c.Failure = problem
	default:
		c.Error = problem
	}
	return c
}
