package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// describe returns a report of a step that has not run.
func (r *runner) describe(index int, step Step) StepReport {
	report := StepReport{Number: index + 1, Name: step.Name, Verb: step.Verb(), Line: r.positions.At(fmt.Sprintf("steps[%d]", index)).Line}
	switch report.Verb {
	case "apply":
		report.Text = "apply " + strings.Join(step.Apply, ", ")
	case "delete":
		report.Text = "delete " + strings.Join(step.Delete, ", ")
	case "wait":
		report.Text = "wait until " + step.Wait.describe()
	case "expect":
		report.Text = step.Expect.describe(r.names)
	}
	return report
}

func (w Wait) describe() string {
	switch {
	case w.Ready:
		return "everything applied is ready"
	case w.Ingress != "" && w.Address != nil && *w.Address:
		return fmt.Sprintf("ingress %s has an address", w.Ingress)
	case w.Ingress != "":
		return fmt.Sprintf("ingress %s has no address", w.Ingress)
	case w.Service != "" && w.Endpoints != nil:
		return fmt.Sprintf("service %s has %s", w.Service, readyEndpoints(*w.Endpoints))
	case w.Deployment != "":
		return fmt.Sprintf("deployment %s is %s", w.Deployment, w.condition())
	}
	return fmt.Sprintf("pod %s is %s", w.Pod, w.condition())
}

func readyEndpoints(n int) string {
	switch n {
	case 0:
		return "no ready endpoint"
	case 1:
		return "1 ready endpoint"
	}
	return fmt.Sprintf("%d ready endpoints", n)
}

// condition is the condition that a Deployment or a Pod has to have.
func (w Wait) condition() string {
	switch {
	case w.Condition != "":
		return w.Condition
	case w.Deployment != "":
		return "Available"
	}
	return "Ready"
}

func (e Expect) describe(names isolation) string {
	var b strings.Builder
	if e.Method == "" {
		b.WriteString("GET ")
	} else {
		b.WriteString(e.Method + " ")
	}
	b.WriteString(names.url(e.URL))
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		fmt.Fprintf(&b, " with %s: %s", name, names.text(e.Header[name]))
	}
	b.WriteString(" answers ")
	b.WriteString(strings.Join(e.answers(names), ", "))
	return b.String()
}

// answers lists what is expected of the answer, the most telling part first.
func (e Expect) answers(names isolation) []string {
	var parts []string
	if e.Status != 0 {
		parts = append(parts, fmt.Sprint(e.Status))
	}
	for _, who := range []struct{ what, name string }{{"service", e.Service}, {"app", e.App}, {"pod", e.Pod}} {
		if who.name != "" {
			parts = append(parts, who.what+" "+who.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.ResponseHeader)) {
		if value := e.ResponseHeader[name]; value != "" {
			parts = append(parts, fmt.Sprintf("%s: %s", name, names.text(value)))
		} else {
			parts = append(parts, "no "+name)
		}
	}
	for _, text := range e.Contains {
		parts = append(parts, fmt.Sprintf("%q in the body", names.text(text)))
	}
	return parts
}
