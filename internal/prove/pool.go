package prove

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Plan is what to prove.
type Plan struct {
	Labs      []*lab.Lab
	Scenarios []*scenario.Scenario
}

// Here proves a plan in one cluster, and fills the items and the outcome of the place. Labs and scenarios go side by side, the
// exclusive ones alone at the end. When ctx ends, what has been seen so far is reported, and the outcome says so.
func Here(ctx context.Context, plan Plan, env Env, place *Place) {
	env.Patience = env.Patience.orUsual()
	begin := time.Now()
	pool := &pool{slots: make(chan struct{}, max(1, orDefault(env.Parallel))), tell: env.Progress}
	var shared, alone []*job
	add := func(exclusive bool, j *job) {
		place.Items = append(place.Items, j.item)
		if exclusive {
			j.inTurn()
			alone = append(alone, j)
		} else {
			shared = append(shared, j)
		}
	}
	for i, j := range plan.jobs(env) {
		add(plan.exclusive(i), j)
	}
	pool.run(ctx, shared...)
	for _, j := range alone {
		pool.run(ctx, j)
	}
	if env.Again {
		for i, fresh := range plan.jobs(env) {
			pool.again(ctx, &place.Items[i], fresh)
		}
	}
	place.Seconds = time.Since(begin).Seconds()
	place.settle()
	if ctx.Err() != nil {
		place.Outcome = outcomeOf(ctx)
	}
}

// jobs are what there is to do, in the order of the plan: the labs, then the scenarios.
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

// exclusive tells whether the job at a place of the plan has to be alone in the cluster.
func (p Plan) exclusive(i int) bool {
	if i < len(p.Labs) {
		return p.Labs[i].Exclusive
	}
	return p.Scenarios[i-len(p.Labs)].Exclusive
}

// again puts the result of a second try in the place of an item that was not proven.
func (p *pool) again(ctx context.Context, item **Item, fresh *job) {
	first := *item
	if ctx.Err() != nil || first.Outcome == scenario.Passed || first.Outcome == scenario.Skipped {
		return
	}
	fresh.item.First = first
	fresh.inTurn()
	p.run(ctx, fresh)
	*item = fresh.item
}

func orDefault(parallel int) int {
	if parallel == 0 {
		return DefaultParallel
	}
	return parallel
}

// job is an item and the tasks that prove it. The tasks of one item may run side by side.
type job struct {
	item  *Item
	tasks []func(context.Context)
}

// inTurn makes the tasks one that does them one after the other: what has to be alone in the cluster has to be so among its own
// runs, too.
func (j *job) inTurn() {
	tasks := j.tasks
	j.tasks = []func(context.Context){func(ctx context.Context) {
		for _, task := range tasks {
			task(ctx)
		}
	}}
}

// pool runs tasks, so many at a time.
type pool struct {
	slots chan struct{}
	mu    sync.Mutex
	tell  func(*Item)
}

// run runs the tasks of jobs in their order, and returns when all have ended.
func (p *pool) run(ctx context.Context, jobs ...*job) {
	var all sync.WaitGroup
	for _, j := range jobs {
		var own sync.WaitGroup
		for _, task := range j.tasks {
			p.slots <- struct{}{}
			own.Add(1)
			all.Go(func() {
				defer own.Done()
				defer func() { <-p.slots }()
				p.begin(j.item)
				task(ctx)
			})
		}
		all.Go(func() {
			own.Wait()
			p.done(ctx, j.item)
		})
	}
	all.Wait()
}

func (p *pool) begin(item *Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if item.Started.IsZero() {
		item.Started = time.Now()
	}
}

func (p *pool) done(ctx context.Context, item *Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	item.settle()
	if ctx.Err() != nil {
		item.Outcome = outcomeOf(ctx)
	}
	if p.tell != nil {
		p.tell(item)
	}
}

// jobOfLab is one task: a lab has one namespace.
func jobOfLab(l *lab.Lab, env Env) *job {
	item := &Item{Kind: kindLab, Name: l.Name, Number: l.Number, File: placesOf(l).lesson, Outcome: scenario.Skipped, Parts: []Part{}}
	return &job{item: item, tasks: []func(context.Context){func(ctx context.Context) {
		if skip(item, env, l.Requires) {
			return
		}
		if env.Lock != nil {
			release, err := env.Lock(l)
			if err != nil {
				item.Outcome, item.Reason = scenario.Broken, err.Error()
				return
			}
			defer release()
		}
		proveLab(ctx, l, env, item)
	}}}
}

// skip tells whether an item cannot be proven in this cluster.
func skip(item *Item, env Env, requires scenario.Capabilities) bool {
	why := env.Capabilities.Lacks(requires...)
	if len(why) == 0 {
		return false
	}
	item.Outcome, item.Reason = scenario.Skipped, strings.Join(why, "; ")
	return true
}
