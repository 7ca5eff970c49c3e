// Package junit writes JUnit XML reports. The format has no standard. This package writes the
// subset that common readers agree on (https://github.com/testmoapp/junitxml).
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Suite is one test suite. Write counts its cases.
type Suite struct {
	Name string `xml:"name,attr"`
	File string `xml:"file,attr,omitempty"`
	// Timestamp is a time in UTC, as Time formats it.
	Timestamp string `xml:"timestamp,attr,omitempty"`
	counts
	Properties []Property `xml:"properties>property"`
	Cases      []Case     `xml:"testcase"`
}

// Property is one property of a suite.
type Property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// Case is one test case. At most one of Failure, Error, and Skipped is set.
type Case struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	File    string   `xml:"file,attr,omitempty"`
	Line    int      `xml:"line,attr,omitempty"`
	Seconds Seconds  `xml:"time,attr"`
	Failure *Problem `xml:"failure"`
	Error   *Problem `xml:"error"`
	Skipped *Problem `xml:"skipped"`
	Output  *Text    `xml:"system-out"`
}

// Problem says why a case did not pass.
type Problem struct {
	Message string `xml:"message,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// Text is the content of an element.
type Text struct {
	Text string `xml:",cdata"`
}

// Seconds is a duration in seconds, written with three decimals.
type Seconds float64

// MarshalXMLAttr implements xml.MarshalerAttr.
func (s Seconds) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: fmt.Sprintf("%.3f", float64(s))}, nil
}

// Time returns the timestamp of a suite. It is empty for the zero time.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

type counts struct {
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Errors   int     `xml:"errors,attr"`
	Skipped  int     `xml:"skipped,attr"`
	Seconds  Seconds `xml:"time,attr"`
}

// Took returns a copy of the suite with its duration in seconds.
func (s Suite) Took(seconds float64) Suite {
	s.Seconds = Seconds(seconds)
	return s
}

// Write writes suites as one indented document. seconds is the duration of all suites.
func Write(w io.Writer, suites []Suite, seconds float64) error {
	doc := struct {
		XMLName xml.Name `xml:"testsuites"`
		counts
		Suites []Suite `xml:"testsuite"`
	}{counts: counts{Seconds: Seconds(seconds)}, Suites: suites}
	for i := range suites {
		s := &suites[i]
		s.Tests, s.Failures, s.Errors, s.Skipped = len(s.Cases), 0, 0, 0
		for _, c := range s.Cases {
			switch {
			case c.Failure != nil:
				s.Failures++
			case c.Error != nil:
				s.Errors++
			case c.Skipped != nil:
				s.Skipped++
			}
		}
		doc.Tests, doc.Failures = doc.Tests+s.Tests, doc.Failures+s.Failures
		doc.Errors, doc.Skipped = doc.Errors+s.Errors, doc.Skipped+s.Skipped
	}
	data, err := xml.MarshalIndent(doc, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	}
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}
