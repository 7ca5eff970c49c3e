package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/text"
)

// Wait is a condition to wait for. Exactly one of ready, ingress, deployment, service, pod, and
// object is given.
type Wait struct {
	// All applied objects are ready: Deployments are rolled out, Services have endpoints.
	Ready bool `yaml:"ready,omitempty"`
	// Name of an Ingress. Needs address or addresses.
	Ingress string `yaml:"ingress,omitempty"`
	// Whether the Ingress has an address in its status.
	Address *bool `yaml:"address,omitempty"`
	// The exact addresses in the status of the Ingress. nodes: the addresses of the nodes with a
	// ready controller.
	Addresses string `yaml:"addresses,omitempty" jsonschema:"enum=nodes"`
	// Name of a Deployment. The field condition is optional.
	Deployment string `yaml:"deployment,omitempty"`
	// Name of a Service. Needs endpoints.
	Service string `yaml:"service,omitempty"`
	// The number of ready endpoints.
	Endpoints *int `yaml:"endpoints,omitempty" jsonschema:"minimum=0"`
	// Name of a Pod. The field condition is optional.
	Pod string `yaml:"pod,omitempty"`
	// Any object, as KIND/NAME. Needs exists or jsonpath.
	Object string `yaml:"object,omitempty"`
	// The namespace of the object: ingresslab-system, - for an object without one, or the run's own
	// if not given.
	Namespace string `yaml:"namespace,omitempty"`
	// Whether the object has to exist.
	Exists *bool `yaml:"exists,omitempty"`
	// A field of the object, in kubectl's notation, such as {.spec.type}. Needs value. If the path
	// matches several fields, their values are joined by spaces.
	JSONPath string `yaml:"jsonpath,omitempty"`
	// The value of the field: * matches any text; an empty value means that the field is absent or
	// empty.
	Value *string `yaml:"value,omitempty"`
	// A condition that has to be True; by default Available for a Deployment and Ready for a Pod.
	Condition string `yaml:"condition,omitempty"`
	// How long to wait, 60s if not given.
	Within Duration `yaml:"within,omitempty"`
}

func (w Wait) validate(c *checker, path string) {
	subject := c.exactlyOne(path, choice{"ready", w.Ready}, choice{"ingress", w.Ingress != ""}, choice{"deployment", w.Deployment != ""},
		choice{"service", w.Service != ""}, choice{"pod", w.Pod != ""}, choice{"object", w.Object != ""})
	if subject == "" {
		return
	}
	c.goesWith(path+".address", subject, "ingress", w.Address != nil, w.Addresses == "")
	c.goesWith(path+".addresses", subject, "ingress", w.Addresses != "", false)
	if w.Address != nil && w.Addresses != "" {
		c.fault(path, "specify either address or addresses, not both")
	}
	c.goesWith(path+".endpoints", subject, "service", w.Endpoints != nil, true)
	if subject != "pod" {
		c.goesWith(path+".condition", subject, "deployment", w.Condition != "", false)
	}
	if w.Endpoints != nil && *w.Endpoints < 0 {
		c.fault(path+".endpoints", "%d is less than zero", *w.Endpoints)
	}
	c.goesWith(path+".exists", subject, "object", w.Exists != nil, false)
	c.goesWith(path+".jsonpath", subject, "object", w.JSONPath != "", false)
	c.goesWith(path+".value", subject, "object", w.Value != nil, false)
	c.goesWith(path+".namespace", subject, "object", w.Namespace != "", false)
	if subject == "object" {
		w.validateObject(c, path)
	}
}

func (w Wait) validateObject(c *checker, path string) {
	if _, err := parseObject(w.Object); err != nil {
		c.add(path+".object", err.nearest, "%v", err)
	}
	if w.Namespace != noNamespace {
		c.inNamespace(path+".namespace", w.Namespace)
	}
	c.exactlyOne(path, choice{"exists", w.Exists != nil}, choice{"jsonpath", w.JSONPath != ""})
	if (w.JSONPath == "") != (w.Value == nil) {
		c.fault(path, "jsonpath and value belong together: the field, and its expected value")
	}
	if _, err := parseJSONPath(w.JSONPath); err != nil {
		c.fault(path+".jsonpath", "%q is not a path in kubectl's notation, such as {.spec.type}: %v", w.JSONPath, err)
	} else if w.JSONPath != "" && !strings.Contains(w.JSONPath, "{") {
		c.add(path+".jsonpath", "{"+w.JSONPath+"}", "%q has no braces, so it would be plain text", w.JSONPath)
	}
}

// goesWith reports a field that belongs to a different subject, or a missing field that subject
// needs.
func (c *checker) goesWith(path, subject, owner string, isGiven, needed bool) {
	field := path[strings.LastIndex(path, ".")+1:]
	if isGiven && subject != owner {
		c.fault(path, "%s cannot be combined with %s", field, subject)
	}
	if !isGiven && needed && subject == owner {
		c.fault(path, "is missing: a wait for %s needs %s", owner, field)
	}
}

func (w Wait) validateInCheck(c *checker, path string) {
	if w.Ready {
		c.fault(path+".ready", "is not allowed in a check; name a deployment, service, or pod")
	}
}

func (w Wait) traits() traits { return traits{inSolution: true} }

func (w Wait) streak() int { return 1 }

func (w Wait) describe(isolation) string { return "wait until " + w.goal() }

// goal describes the condition in one line.
func (w Wait) goal() string {
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

func (w Wait) describeObject() string {
	object := w.Object + inNamespace(w.Namespace)
	switch {
	case w.Exists != nil && !*w.Exists:
		return object + " does not exist"
	case w.JSONPath != "" && w.Value != nil:
		value := strconv.Quote(*w.Value)
		if *w.Value != "" {
			return fmt.Sprintf("%s of %s is %s", w.JSONPath, object, value)
		}
		return fmt.Sprintf("%s of %s is empty", w.JSONPath, object)
	}
	return object + " exists"
}

func readyEndpoints(n int) string {
	if n == 0 {
		return "no ready endpoint"
	}
	return text.Count(n, "ready endpoint")
}

func (w Wait) condition() string {
	switch {
	case w.Condition != "":
		return w.Condition
	case w.Deployment != "":
		return "Available"
	}
	return "Ready"
}

func (w Wait) run(ctx context.Context, r *runner, report *StepReport) error {
	if w.Ready {
		return w.waitReady(ctx, r, report)
	}
	p := r.polling(w.Within, waitWithin, 1, report)
	c := converge(ctx, p, func(ctx context.Context) pollResult { return w.poll(ctx, r) })
	return report.settle(c, TimedOut)
}

func (w Wait) waitReady(ctx context.Context, r *runner, report *StepReport) error {
	within, cancel := context.WithTimeout(ctx, r.within(w.Within, waitWithin))
	defer cancel()
	early := r.earlyStop(report)
	err := r.ready(within, early == nil)
	for isLate(err) && within.Err() == nil && !early.caught(ctx, pollResult{mismatches: unready(err)}) {
		err = r.ready(within, false)
	}
	report.Mismatches = unready(err)
	var missing *kube.NotReadyError
	switch {
	case err == nil:
		report.Outcome = Passed
		return nil
	case !errors.As(err, &missing):
		return report.broken(err)
	case isLate(err):
		report.Outcome = TimedOut
	default:
		report.Outcome = Failed
		report.Note = missing.Cause.Error()
	}
	return nil
}

// readySlice is how long one poll waits if the step can stop early.
const readySlice = 2 * time.Second

// ready waits for the applied objects until ctx ends. If all is false, it waits for at most
// readySlice.
func (r *runner) ready(ctx context.Context, all bool) error {
	if !all {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readySlice)
		defer cancel()
	}
	return r.env.Kube.WaitReady(ctx, r.applied...)
}

func isLate(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// unready returns the objects that are not ready, and what they lack.
func unready(err error) (mismatches []probe.Mismatch) {
	var missing *kube.NotReadyError
	if errors.As(err, &missing) {
		for _, line := range missing.Missing {
			object, lacks, _ := strings.Cut(line, ": ")
			mismatches = append(mismatches, probe.Mismatch{Field: object, Expected: "ready", Observed: lacks})
		}
	}
	return mismatches
}
