package labtest

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// SharedRun runs a scenario and its mutants one after the other with the same pods, because most of a run's time is for starting and
// stopping them. A mutant with other workloads starts those, and stops them again. All else is new in each run. A run that changes pods
// ends the sharing. It is for one goroutine.
type SharedRun struct {
	scenario *scenario.Scenario
	env      scenario.Env
	within   time.Duration
	// run names the run whose namespace and pods exist; empty if there is none.
	run, namespace string
}

// NewSharedRun makes no request. Run, Keep, From and Until of env have no effect.
func NewSharedRun(s *scenario.Scenario, env scenario.Env) *SharedRun {
	env.Run, env.Keep, env.From, env.Until = "", false, "", ""
	return &SharedRun{scenario: s, env: env, within: mutantWithin}
}

// Run is scenario.Run.
func (x *SharedRun) Run(ctx context.Context) (*scenario.Report, error) {
	report, err := scenario.Run(ctx, x.scenario, x.next())
	x.keep(ctx, report, nil)
	return report, err
}

// RunMutant is the function RunMutant. If the workloads that it does not share cannot be removed first, it has a namespace to itself.
func (x *SharedRun) RunMutant(ctx context.Context, m scenario.Mutant) (*MutantReport, error) {
	others := x.scenario.OtherPods(m)
	if x.run != "" && x.retire(ctx, x.namespace, others) != nil {
		return runMutantWithin(ctx, x.scenario, m, x.env, x.within)
	}
	report, err := runMutantWithin(ctx, x.scenario, m, x.next(), x.within)
	x.keep(ctx, report.Report, others)
	return report, err
}

// next is the env of the next run, which has the pods now, and can leave them.
func (x *SharedRun) next() scenario.Env {
	env := x.env
	env.Run, env.ReusePods = x.run, true
	x.run, x.namespace = "", ""
	return env
}

// keep takes over the pods that a run has left, but for those of the given workloads.
func (x *SharedRun) keep(ctx context.Context, report *scenario.Report, others []*unstructured.Unstructured) {
	if report == nil || !report.PodsKept {
		return
	}
	x.run, x.namespace = report.Run, report.Namespace
	if x.retire(ctx, report.Namespace, others) == nil {
		return
	}
	if err := x.Close(ctx); err != nil {
		report.Cleanup = err.Error()
	}
}

func (x *SharedRun) retire(ctx context.Context, namespace string, workloads []*unstructured.Unstructured) error {
	var own []*unstructured.Unstructured
	for _, o := range workloads {
		o = o.DeepCopy()
		if o.GetNamespace() == "" {
			o.SetNamespace(namespace)
		}
		own = append(own, o)
	}
	return scenario.Retire(ctx, x.env.Kube, own...)
}

// closeTimeout bounds the request that removes a namespace.
const closeTimeout = 30 * time.Second

// Close removes what the last run has left, also when ctx has ended. It does not wait for the removal.
func (x *SharedRun) Close(ctx context.Context) error {
	if x.run == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	namespace := x.namespace
	x.run, x.namespace = "", ""
	if err := x.env.Kube.DeleteNamespace(ctx, namespace, false); err != nil {
		return fmt.Errorf("scenario %s: %w", x.scenario.Metadata.Name, err)
	}
	return nil
}
