package scenario

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Series runs a scenario and its mutants one after the other, with the same pods as long as none of them does something to pods:
// to start and stop them is most of what a run costs. A mutant that has other pods than the scenario starts those, and stops them
// again. All else is made anew for every run. It is for one goroutine.
type Series struct {
	scenario *Scenario
	env      Env
	// run names the run whose namespace and pods are there; empty if there is none.
	run string
	// odd are the workloads that the present run does not have as the scenario has them.
	odd []*unstructured.Unstructured
}

// NewSeries makes no request. Run, Keep, From and Until of env have no effect.
func NewSeries(s *Scenario, env Env) *Series {
	env.Run, env.Keep, env.From, env.Until = "", false, "", ""
	return &Series{scenario: s, env: env}
}

// Run is the function Run for the scenario of the series.
func (x *Series) Run(ctx context.Context) (*Report, error) {
	x.odd = nil
	return Run(ctx, x.scenario, x.next())
}

// RunMutant is the function RunMutant for a mutant of the scenario. If the pods that it does not share cannot be taken away first, it
// has a namespace to itself.
func (x *Series) RunMutant(ctx context.Context, m Mutant) (*MutantReport, error) {
	x.odd = x.scenario.otherPods(m)
	if x.run != "" && Retire(ctx, x.env.Kube, asNamed(newIsolation(x.scenario, x.run), x.odd)...) != nil {
		return RunMutant(ctx, x.scenario, m, x.env)
	}
	return RunMutant(ctx, x.scenario, m, x.next())
}

// asNamed returns objects of a scenario as a run has them.
func asNamed(names isolation, workloads []*unstructured.Unstructured) []*unstructured.Unstructured {
	var own []*unstructured.Unstructured
	for _, o := range workloads {
		own = append(own, names.object(o))
	}
	return own
}

// Close removes what the last run has left. The removal is asked for and not waited for, and is done when ctx has ended, too.
func (x *Series) Close(ctx context.Context) error {
	if x.run == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	namespace := newIsolation(x.scenario, x.run).namespace
	x.run = ""
	if err := x.env.Kube.DeleteNamespace(ctx, namespace, false); err != nil {
		return fmt.Errorf("scenario %s: %w", x.scenario.Metadata.Name, err)
	}
	return nil
}

// next is the env of the next run, which has the pods now, and may leave them.
func (x *Series) next() Env {
	env := x.env
	env.Run, env.series = x.run, x
	x.run = ""
	return env
}

// takes tells whether the series takes over the pods of a run that is over. Otherwise, as when there is no series, everything is to
// be removed.
func (x *Series) takes(ctx context.Context, r *runner, report *Report) bool {
	wasJudged := report.Outcome == Passed || report.Outcome == Failed || report.Outcome == TimedOut
	if x == nil || r.disturbed || !wasJudged {
		return false
	}
	if r.clear(ctx) != nil || Retire(ctx, x.env.Kube, asNamed(r.names, x.odd)...) != nil {
		return false
	}
	x.run = r.env.Run
	return true
}

// clear removes all that the run has made but its pods, and the Events: those of this run would explain the next one.
func (r *runner) clear(ctx context.Context) error {
	err := errors.Join(
		r.uncordon(ctx),
		r.giveBack(ctx),
		r.env.Kube.Delete(ctx, r.classes...),
		r.env.Kube.Delete(ctx, slices.DeleteFunc(slices.Clone(r.applied), hasPods)...),
	)
	if err != nil {
		return err
	}
	return r.env.Kube.Clientset().CoreV1().Events(r.names.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

// hasPods tells whether an object is a pod, or makes some.
func hasPods(o *unstructured.Unstructured) bool {
	return slices.Contains([]string{"DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"}, o.GetKind())
}

// otherPods returns the workloads of a scenario that a mutant changes, leaves out or adds: where both have one, the scenario's.
func (s *Scenario) otherPods(m Mutant) []*unstructured.Unstructured {
	mutated, flaws := s.mutate(m)
	if len(flaws) > 0 {
		return nil // it is not run
	}
	var others []*unstructured.Unstructured
	for _, name := range s.appliedFiles() {
		for _, pair := range [][2][]*unstructured.Unstructured{
			{s.manifests[name].Objects, mutated[name].Objects}, {mutated[name].Objects, s.manifests[name].Objects},
		} {
			for _, o := range pair[0] {
				isAsThere := slices.ContainsFunc(pair[1], func(other *unstructured.Unstructured) bool { return reflect.DeepEqual(o, other) })
				isKnown := slices.ContainsFunc(others, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
				if hasPods(o) && !isAsThere && !isKnown {
					others = append(others, o)
				}
			}
		}
	}
	return others
}
