package labtest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// LoadPlan loads the labs and scenarios with the names in args. If both have a name, it loads both.
// Without args, it loads all labs, and all scenarios with mutants.
func LoadPlan(labs, scenarios string, args []string) (Plan, error) {
	if len(args) == 0 {
		return loadAll(labs, scenarios)
	}
	var plan Plan
	seen := map[string]bool{}
	for _, arg := range args {
		dir, noLab := lab.Find(labs, arg)
		paths, noScenario := scenario.Find(scenarios, arg)
		if noLab != nil && noScenario != nil {
			return plan, errors.Join(noScenario, noLab)
		}
		if noLab == nil && !seen[dir] {
			seen[dir] = true
			if err := plan.addLab(dir); err != nil {
				return plan, err
			}
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			s, err := scenario.Load(path)
			if err != nil {
				return plan, err
			}
			plan.Scenarios = append(plan.Scenarios, s)
		}
	}
	return plan, nil
}

func (p *Plan) addLab(dir string) error {
	l, err := lab.Load(dir)
	if err != nil {
		return err
	}
	p.Labs = append(p.Labs, l)
	return nil
}

func loadAll(labs, scenarios string) (plan Plan, err error) {
	entries, err := lab.List(labs)
	if err != nil {
		return plan, err
	}
	for _, e := range entries {
		if err := plan.addLab(e.Dir); err != nil {
			return plan, err
		}
	}
	paths, err := scenario.Find(scenarios, "*")
	if err != nil {
		return plan, err
	}
	for _, path := range paths {
		s, err := scenario.Load(path)
		if err != nil {
			return plan, err
		}
		if len(s.Mutants) > 0 {
			plan.Scenarios = append(plan.Scenarios, s)
		}
	}
	return plan, nil
}

// Plan lists the labs and scenarios to test.
type Plan struct {
	Labs      []*lab.Lab
	Scenarios []*scenario.Scenario
}

// Here runs a plan in one cluster, and sets the items and the outcome of place. It runs labs and
// scenarios in parallel, see scenario.Schedule. If ctx ends, the report has the results so far.
func Here(ctx context.Context, plan Plan, env Env, place *ClusterReport) {
	env.Timeouts = env.Timeouts.orDefault()
	begin := time.Now()
	t := &teller{tell: env.Progress}
	jobs := plan.jobs(env)
	var all []scenario.Job
	for _, j := range jobs {
		place.Items = append(place.Items, j.item)
		// A kept exclusive lab would affect later items.
		all = append(all, scenario.Job{Exclusive: j.exclusive, First: !env.Keep, Locks: j.locks, Tolerates: j.tolerates,
			Do: func(ctx context.Context) bool {
				j.begin(ctx)
				return true
			}, Finish: func(ctx context.Context) { t.end(ctx, j) }})
	}
	scenario.Schedule(ctx, cmp.Or(env.Parallel, DefaultParallel), inTurn(all))
	for _, j := range jobs {
		if j.item.Started.IsZero() {
			j.begin(ctx) // ctx has ended, so begin only sets the outcome
			t.end(ctx, j)
		}
	}
	if env.Retry {
		for i, fresh := range plan.jobs(env) {
			t.again(ctx, &place.Items[i], fresh)
		}
	}
	place.Seconds = time.Since(begin).Seconds()
	place.settle()
	if ctx.Err() != nil {
		place.Outcome = outcomeOf(ctx)
	}
}

// inTurn puts exclusive jobs first, and then the jobs that tolerate them.
func inTurn(jobs []scenario.Job) []scenario.Job {
	turn := func(j scenario.Job) int {
		switch {
		case j.Exclusive:
			return 0
		case len(j.Tolerates) > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(jobs, func(a, b scenario.Job) int { return cmp.Compare(turn(a), turn(b)) })
	return jobs
}

type job struct {
	item      *Item
	exclusive bool
	locks     []string
	tolerates []string
	test      func(context.Context)
	// leave removes the objects of the test, and waits for the removal. It is nil if there are
	// none.
	leave func(context.Context)
}

func (j *job) begin(ctx context.Context) {
	j.item.Started = time.Now()
	j.test(ctx)
}

// jobs returns the jobs of the labs, and then those of the scenarios.
func (p Plan) jobs(env Env) []*job {
	var jobs []*job
	for _, l := range p.Labs {
		jobs = append(jobs, jobOfLab(l, env))
	}
	for _, s := range p.Scenarios {
		jobs = append(jobs, jobOfScenario(s, env))
	}
	return jobs
}

// teller ends jobs and reports them, one at a time.
type teller struct {
	mu   sync.Mutex
	tell func(*Item)
}

func (t *teller) end(ctx context.Context, j *job) {
	if j.leave != nil {
		j.leave(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	j.item.settle()
	if ctx.Err() != nil {
		j.item.Outcome = outcomeOf(ctx)
	}
	if t.tell != nil {
		t.tell(j.item)
	}
}

// again runs a failed item again, and replaces the item with the result.
func (t *teller) again(ctx context.Context, item **Item, fresh *job) {
	first := *item
	if ctx.Err() != nil || first.Outcome == scenario.Passed || first.Outcome == scenario.Skipped {
		return
	}
	fresh.item.First = first
	fresh.begin(ctx)
	t.end(ctx, fresh)
	*item = fresh.item
}

func jobOfLab(l *lab.Lab, env Env) *job {
	item := &Item{Kind: kindLab, Name: l.Name, Number: l.Number, File: placesOf(l).lesson, Outcome: scenario.Skipped, Parts: []Part{}}
	j := &job{item: item, exclusive: l.Exclusive, locks: l.Locks, tolerates: l.Tolerates}
	j.test = func(ctx context.Context) {
		if skip(item, env, l.Requires) {
			return
		}
		release := func() {}
		if env.Lock != nil {
			var err error
			if release, err = env.Lock(l); err != nil {
				item.Outcome, item.Reason = scenario.Broken, err.Error()
				return
			}
		}
		p := newLabTest(l, env, item)
		p.test(ctx)
		j.leave = func(ctx context.Context) {
			defer release()
			p.leave(ctx)
		}
	}
	return j
}

// skip reports whether the cluster lacks a requirement of an item.
func skip(item *Item, env Env, requires scenario.Capabilities) bool {
	why := env.Capabilities.Lacks(requires...)
	if len(why) == 0 {
		return false
	}
	item.Outcome, item.Reason = scenario.Skipped, strings.Join(why, "; ")
	return true
}
