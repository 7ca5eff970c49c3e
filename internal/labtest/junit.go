package labtest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// The elements of a JUnit report, as package scenario has them. A lab or scenario in a place is a suite, a part of it a case.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		File      string      `xml:"file,attr,omitempty"`
		Timestamp string      `xml:"timestamp,attr,omitempty"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Skipped *junitProblem `xml:"skipped"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Message string `xml:"message,attr,omitempty"`
		Text    string `xml:",cdata"`
	}
)

// WriteJUnit writes a proof as a JUnit XML document. A place that could not be had is a suite with one case, so that it is seen.
func WriteJUnit(w io.Writer, proof *Proof) error {
	var doc junitReport
	total := 0.0
	for _, place := range proof.Places {
		for _, suite := range suitesOf(place) {
			doc.Tests, doc.Failures = doc.Tests+suite.Tests, doc.Failures+suite.Failures
			doc.Errors, doc.Skipped = doc.Errors+suite.Errors, doc.Skipped+suite.Skipped
			doc.Suites = append(doc.Suites, suite)
		}
		total += place.Seconds
	}
	doc.Time = inSeconds(total)
	return scenario.EncodeJUnit(w, doc)
}

func suitesOf(place *Place) []junitSuite {
	if len(place.Items) == 0 {
		whole := Part{Text: "the cluster", Outcome: place.Outcome, Reason: place.Reason}
		return []junitSuite{suiteOf(place.Provider, &Item{Started: place.Started, Parts: []Part{whole}})}
	}
	var suites []junitSuite
	for _, item := range place.Items {
		of := *item
		if len(of.Parts) == 0 {
			of.Parts = []Part{{Text: "all of it", File: item.File, Outcome: item.Outcome, Reason: item.Reason}}
		}
		suites = append(suites, suiteOf(place.Provider+": "+item.title(), &of))
	}
	return suites
}

func suiteOf(name string, item *Item) junitSuite {
	suite := junitSuite{Name: name, File: item.File, Time: inSeconds(item.Seconds)}
	if !item.Started.IsZero() {
		suite.Timestamp = item.Started.UTC().Format(time.RFC3339)
	}
	for _, part := range item.Parts {
		c := caseOf(name, part)
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

func caseOf(class string, part Part) junitCase {
	c := junitCase{Name: part.Text, Class: class, File: part.File, Line: part.Line, Time: inSeconds(part.Seconds), Out: part.Seen}
	if part.Kind == KindMutant {
		c.Name = fmt.Sprintf("mutant %q is caught", part.Text)
	}
	var lines []string
	for _, fault := range part.Faults {
		lines = append(lines, fault.String())
	}
	problem := &junitProblem{Message: part.Reason, Text: strings.Join(lines, "\n")}
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

func inSeconds(s float64) string { return fmt.Sprintf("%.3f", s) }
