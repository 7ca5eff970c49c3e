package scenario

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
	"github.com/ingresslab/ingresslab/internal/text"
)

// The labels of a kept namespace.
const (
	// LabelKept is the number of the last step that passed. A run sets the label when it ends.
	LabelKept = "ingresslab.dev/kept-after-step"
	LabelSeed = "ingresslab.dev/seed" // LabelSeed is the seed of the run
)

// PartError reports that a part of a scenario cannot run.
type PartError struct {
	Scenario string // Scenario is the name of the scenario
	text     string
}

// Error implements error.
func (e *PartError) Error() string { return fmt.Sprintf("scenario %s: %s", e.Scenario, e.text) }

func (s *Scenario) partf(format string, args ...any) *PartError {
	return &PartError{s.Metadata.Name, fmt.Sprintf(format, args...)}
}

// part is a range of step indexes. It does not include end.
type part struct{ first, end int }

// CheckPart validates env.From and env.Until without a cluster. The error is a *PartError.
func CheckPart(s *Scenario, env Env) error {
	_, err := s.part(env)
	if err != nil { // a nil *PartError is not a nil error
		return err
	}
	return nil
}

func (s *Scenario) part(env Env) (part, *PartError) {
	p := part{0, len(s.Steps)}
	if env.From != "" {
		at, err := s.stepAt("--from-step", env.From)
		if err != nil {
			return p, err
		}
		p.first = at
	}
	if env.Until != "" {
		at, err := s.stepAt("--until-step", env.Until)
		if err != nil {
			return p, err
		}
		p.end = at + 1
	}
	if p.first >= p.end {
		return p, s.partf("step %d (--from-step) comes after step %d (--until-step)", p.first+1, p.end)
	}
	return p, s.sessionsAcross(p.first)
}

// stepAt returns the index of the step that a flag selects by number or name.
func (s *Scenario) stepAt(flag, ref string) (int, *PartError) {
	if n, err := strconv.Atoi(ref); err == nil {
		if n < 1 || n > len(s.Steps) {
			return 0, s.partf("%s %d: the steps are 1 to %d", flag, n, len(s.Steps))
		}
		return n - 1, nil
	}
	var names []string
	for i, step := range s.Steps {
		if step.Name == ref {
			return i, nil
		}
		if step.Name != "" {
			names = append(names, step.Name)
		}
	}
	if near := strictyaml.Nearest(ref, names); near != "" {
		return 0, s.partf("%s: no step has the name %q; did you mean %q?", flag, ref, near)
	}
	return 0, s.partf("%s: no step has the name %q; use a name or a number from 1 to %d", flag, ref, len(s.Steps))
}

// sessionsAcross returns an error if the run would continue in the middle of a session, because the
// session's cookies were not saved.
func (s *Scenario) sessionsAcross(first int) *PartError {
	began := map[string]int{}
	for i := range s.Steps {
		for _, name := range sessionsOf(s.Steps[i]) {
			before, known := began[name]
			if known && i >= first && before < first {
				return s.partf("--from-step %d: step %d continues session %s of step %d, whose cookies were not saved; "+
					"use --from-step %d or an earlier step",
					first+1, i+1, name, before+1, before+1)
			}
			if !known {
				began[name] = i
			}
		}
	}
	return nil
}

// sessionsOf returns the sessions of a step and its nested steps.
func sessionsOf(step Step) []string {
	var names []string
	eachStep("", []Step{step}, func(_ string, s Step) {
		if name := s.only().traits().session; name != "" {
			names = append(names, name)
		}
	})
	return names
}

type kept struct {
	run    string
	seed   uint64
	passed int // the number of passed steps
}

// findKept returns the run to continue: the one that env names, or the newest kept run of the
// scenario.
func (s *Scenario) findKept(ctx context.Context, env Env, first int) (kept, error) {
	selector := LabelScenario + "=" + s.Metadata.Name
	if env.Run != "" {
		selector += "," + LabelRun + "=" + env.Run
	}
	list, err := env.Kube.Clientset().CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return kept{}, fmt.Errorf("namespaces of kept runs: %w", err)
	}
	there := slices.DeleteFunc(list.Items, func(n corev1.Namespace) bool { return n.DeletionTimestamp != nil })
	usable := slices.DeleteFunc(slices.Clone(there), func(n corev1.Namespace) bool { return n.Labels[LabelKept] == "" })
	switch {
	case len(there) == 0 && env.Run != "":
		return kept{}, s.partf("--run-id %s: the cluster has no such run of this scenario", env.Run)
	case len(there) == 0:
		return kept{}, s.partf("--from-step: the cluster has no kept run of this scenario; use --until-step STEP or --keep first")
	case len(usable) == 0:
		return kept{}, s.partf("--from-step: run %s was not kept; it is still running or was killed", there[0].Labels[LabelRun])
	}
	newest := slices.MaxFunc(usable, func(a, b corev1.Namespace) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return s.readKept(newest.Labels, first)
}

func (s *Scenario) readKept(labels map[string]string, first int) (kept, error) {
	k := kept{run: labels[LabelRun]}
	var err error
	if k.passed, err = strconv.Atoi(labels[LabelKept]); err != nil {
		return k, s.partf("--from-step: run %s: its namespace has label %s=%q, which is not the number of a step", k.run, LabelKept,
			labels[LabelKept])
	}
	if k.seed, err = strconv.ParseUint(labels[LabelSeed], 10, 64); err != nil {
		k.seed = NewSeed()
	}
	if first > k.passed {
		return k, s.partf("--from-step %d: of run %s, only %s passed; use --from-step %d, or --run-id for another run",
			first+1, k.run, text.Count(k.passed, "step"), k.passed+1)
	}
	return k, nil
}

// resume restores the runner's state before the step at first: the applied objects, and new
// certificates if later steps need them.
func (r *runner) resume(ctx context.Context, s *Scenario, first int, report *Report) error {
	again := s.certificatesAcross(first)
	for i, step := range s.Steps[:first] {
		if again && step.Certificate != nil {
			done, err := r.step(ctx, i, step)
			report.Steps = append(report.Steps, done)
			if done.Outcome != Passed {
				return err
			}
			continue
		}
		eachStep("", []Step{step}, func(_ string, inside Step) {
			if v, is := inside.only().verb.(replayer); is {
				v.replay(r)
			}
		})
		report.Steps = append(report.Steps, r.skipped(i, step))
	}
	return nil
}

// certificatesAcross reports whether the step at first or a later step needs a key that an earlier
// step created.
func (s *Scenario) certificatesAcross(first int) bool {
	clients, authorities := map[string]bool{}, map[string]bool{}
	needed := false
	for i, step := range s.Steps {
		eachStep("", []Step{step}, func(_ string, inside Step) {
			t := inside.only().traits()
			switch {
			case t.certificate != nil && i < first:
				clients[t.certificate.Client], authorities[t.certificate.CA] = true, true
			case t.certificate != nil:
				needed = needed || authorities[t.certificate.CA]
			case t.request != nil && t.request.ClientCertificate != "" && i >= first:
				needed = needed || clients[t.request.ClientCertificate]
			}
		})
	}
	return needed
}
