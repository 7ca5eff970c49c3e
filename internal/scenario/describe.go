package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/text"
)

// describe returns a report of a step that has not run.
func (r *runner) describe(index int, step Step) StepReport { return r.describeAt("steps", index, step) }

// describeAt does so for a step of the list that stands at path.
func (r *runner) describeAt(path string, index int, step Step) StepReport {
	report := StepReport{Number: index + 1, Name: step.Name, Verb: step.Verb(), path: fmt.Sprintf("%s[%d]", path, index)}
	report.Line = r.positions.At(report.path).Line
	switch report.Verb {
	case "apply":
		report.Text = "apply " + strings.Join(step.Apply, ", ")
	case "delete":
		report.Text = "delete " + strings.Join(step.Delete, ", ")
	case "patch":
		report.Text = step.Patch.describe(r.names)
	case "rollout":
		report.Text = step.Rollout.describe()
	case "exec":
		report.Text = step.Exec.describe(r.names)
	case "never":
		report.Text = step.Never.describe(r.names)
	case "fault":
		report.Text = step.Fault.describe()
	case "scale":
		report.Text = fmt.Sprintf("scale deployment %s to %d", step.Scale.Deployment, *step.Scale.Replicas)
	case "certificate":
		report.Text = step.Certificate.describe(r.names)
	case "traffic":
		report.Text = step.Traffic.describe(r.names)
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
	case w.Ingress != "" && w.Addresses != "":
		return fmt.Sprintf("ingress %s has the addresses of the nodes with a controller, and no others", w.Ingress)
	case w.Ingress != "":
		return fmt.Sprintf("ingress %s has no address", w.Ingress)
	case w.Service != "" && w.Endpoints != nil:
		return fmt.Sprintf("service %s has %s", w.Service, readyEndpoints(*w.Endpoints))
	case w.Deployment != "":
		return fmt.Sprintf("deployment %s is %s", w.Deployment, w.condition())
	case w.Object != "":
		return w.describeObject()
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

func (c Certificate) describe(names isolation) string {
	var of string
	switch {
	case len(c.Hosts) > 0:
		of = "for " + strings.Join(names.texts(c.Hosts), ", ")
	case c.Client != "":
		of = "of client " + c.Client
	default:
		of = "of an authority"
	}
	if c.CA != "" {
		of += " (" + c.CA + ")"
	}
	if c.Secret != "" {
		of += " in secret " + c.Secret
	}
	return "make a certificate " + of
}

func (t Traffic) describe(names isolation) string {
	request := t.expect().describeRequest(names)
	if t.While != nil {
		return fmt.Sprintf("%s, repeatedly during %s", request, text.Count(len(t.While), "step"))
	}
	total, err := t.total()
	if err != nil {
		return "requests: " + request
	}
	return fmt.Sprintf("%s: %s", text.Count(total, "request"), request)
}

func (e Expect) describe(names isolation) string {
	return e.describeRequest(names) + " answers " + strings.Join(e.answers(names), ", ")
}

func (e Expect) describeRequest(names isolation) string {
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
	if e.Session != "" {
		b.WriteString(" in session " + e.Session)
	}
	if e.From != "" {
		b.WriteString(" from " + e.From)
	}
	if e.ConnectTo != "" {
		b.WriteString(" to " + strings.Replace(e.ConnectTo, "node:", "every node:", 1))
	}
	if e.ClientCertificate != "" {
		b.WriteString(" by client " + e.ClientCertificate)
	}
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
	if e.Latency > 0 {
		parts = append(parts, "within "+time.Duration(e.Latency).String())
	}
	if e.SamePod != nil {
		parts = append(parts, map[bool]string{true: "the same pod", false: "another pod"}[*e.SamePod])
	}
	if c := e.Certificate; c != nil && c.Secret != "" {
		parts = append(parts, "the certificate of secret "+c.Secret)
	}
	if c := e.Certificate; c != nil && len(c.Names) > 0 {
		parts = append(parts, "a certificate for "+strings.Join(names.texts(c.Names), ", "))
	}
	if e.Received != nil {
		parts = append(parts, "received "+e.Received.describe(names))
	}
	return parts
}

func (a Received) describe(names isolation) string {
	var parts []string
	for _, field := range []struct{ name, value string }{
		{"as", a.Method}, {"at", a.Path}, {"with query", a.Query}, {"for", names.text(a.Host)}, {"by", a.Protocol}, {"with body", a.Body},
	} {
		if field.value != "" {
			parts = append(parts, field.name+" "+field.value)
		}
	}
	if a.TLS != nil {
		parts = append(parts, map[bool]string{true: "over TLS", false: "without TLS"}[*a.TLS])
	}
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if value := a.Header[name]; value != "" {
			parts = append(parts, fmt.Sprintf("with %s: %s", name, names.text(value)))
		} else {
			parts = append(parts, "without "+name)
		}
	}
	return strings.Join(parts, ", ")
}
