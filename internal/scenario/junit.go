package scenario

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of a JUnit report. No standard fixes them; this is the subset that the readers in use agree on
// (https://github.com/testmoapp/junitxml). A scenario is a suite and a step a case.
type (
	junitReport struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string `xml:"name,attr"`
		File      string `xml:"file,attr,omitempty"`
		Timestamp string `xml:"timestamp,attr"`
		junitCounts
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int     `xml:"tests,attr"`
		Failures int     `xml:"failures,attr"`
		Errors   int     `xml:"errors,attr"`
		Skipped  int     `xml:"skipped,attr"`
		Seconds  seconds `xml:"time,attr"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Seconds seconds       `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Skipped *junitProblem `xml:"skipped"`
		Output  *junitText    `xml:"system-out"`
	}
	junitText struct {
		Text string `xml:",cdata"`
	}
	junitProblem struct {
		Message string `xml:"message,attr,omitempty"`
		Text    string `xml:",cdata"`
	}
	seconds float64
)

// MarshalXMLAttr writes milliseconds, which is what the readers show.
func (s seconds) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: fmt.Sprintf("%.3f", float64(s))}, nil
}

// WriteJUnit writes reports as a JUnit XML document, for CI systems to show. What failed is a failure; a lab that is
// broken or was interrupted is an error.
func WriteJUnit(w io.Writer, reports []*Report) error {
	var doc junitReport
	for _, r := range reports {
		suite := junitSuiteOf(r)
		doc.add(suite.junitCounts)
		doc.Suites = append(doc.Suites, suite)
	}
	return EncodeJUnit(w, doc)
}

func (c *junitCounts) add(more junitCounts) {
	c.Tests += more.Tests
	c.Failures += more.Failures
	c.Errors += more.Errors
	c.Skipped += more.Skipped
	c.Seconds += more.Seconds
}

func junitSuiteOf(r *Report) junitSuite {
	suite := junitSuite{Name: r.Scenario, File: r.File, Timestamp: r.Started.UTC().Format(time.RFC3339)}
	suite.Seconds = seconds(r.Seconds)
	for _, p := range []junitProperty{{"title", r.Title}, {"namespace", r.Namespace}, {"seed", fmt.Sprint(r.Seed)}} {
		if p.Value != "" && p.Value != "0" {
			suite.Properties = append(suite.Properties, p)
		}
	}
	for _, s := range r.Steps {
		suite.Cases = append(suite.Cases, junitCaseOf(r, s))
	}
	// A scenario without steps was skipped or could not begin; without a case, nobody would see it.
	if len(r.Steps) == 0 {
		suite.Cases = append(suite.Cases, junitCaseOf(r, StepReport{Text: r.Title, Outcome: r.Outcome, Error: r.Reason}))
	}
	for _, c := range suite.Cases {
		suite.count(c)
	}
	return suite
}

func (s *junitSuite) count(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func junitCaseOf(r *Report, s StepReport) junitCase {
	c := junitCase{Name: s.title(), Class: r.Scenario, Line: s.Line, Seconds: seconds(s.Seconds)}
	if s.Number > 0 {
		c.Name = fmt.Sprintf("%d. %s", s.Number, c.Name)
	}
	problem := &junitProblem{Message: s.Why()}
	switch s.Outcome {
	case Passed:
	case Skipped:
		c.Skipped = problem
	case Failed, TimedOut:
		var text strings.Builder
		text.WriteString("\n")
		NewPretty(&text, Style{}).Explain(s, "")
		problem.Text = text.String()
		c.Failure = problem
	default:
		c.Error = problem
	}
	if text := s.everything(); text != "" && s.Outcome != Passed && s.Outcome != Skipped {
		c.Output = &junitText{"\n" + text}
	}
	return c
}

// everything is what a person is told of a step that did not hold, with the steps inside.
func (s StepReport) everything() string {
	var text strings.Builder
	NewPretty(&text, Style{}).step(s, "")
	return text.String()
}
