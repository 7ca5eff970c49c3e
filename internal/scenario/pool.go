package scenario

import (
	"context"
	"slices"
	"sync"
)

// DefaultParallel is how many runs share a cluster unless somebody says otherwise. They wait for pods most of the time, and a
// machine of two cores starts the pods of a few.
const DefaultParallel = 4

// Job is one of many things to do in one cluster.
type Job struct {
	// Exclusive is set if it changes what all others meet: it waits until those are done that change nothing of the kind.
	Exclusive bool
	// Claims names what there is only one of in the cluster, and what the job changes. No two jobs with a claim in common are done at
	// the same time, and beside an exclusive one without claims there is none at all.
	Claims []string
	// Do does it; with false, nothing is begun any more.
	Do func(context.Context) (goOn bool)
}

// Pool does jobs in their order, at most parallel of them at the same time, the exclusive ones at the end. A job whose turn it is,
// and who has to wait for another one, lets those behind it go first. When ctx ends, or a job says so, no further one is begun.
// Pool returns when all that were begun are done.
func Pool(ctx context.Context, parallel int, jobs []Job) {
	p := &pool{slots: max(parallel, 1), jobs: slices.Clone(jobs)}
	p.changed.L = &p.mu
	stopWatching := context.AfterFunc(ctx, p.stop)
	defer stopWatching()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		next := p.next()
		switch {
		case ctx.Err() == nil && next >= 0:
			j := p.jobs[next]
			p.jobs = slices.Delete(p.jobs, next, next+1)
			p.running = append(p.running, &j)
			go p.do(ctx, &j)
		case len(p.running) == 0:
			return
		default:
			p.changed.Wait()
		}
	}
}

// pool is what Pool knows; mu guards all of it.
type pool struct {
	mu      sync.Mutex
	changed sync.Cond
	slots   int
	jobs    []Job
	running []*Job
	stopped bool
}

func (p *pool) do(ctx context.Context, j *Job) {
	goOn := j.Do(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = slices.DeleteFunc(p.running, func(other *Job) bool { return other == j })
	p.stopped = p.stopped || !goOn
	p.changed.Broadcast()
}

// stop has nothing begun any more.
func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.changed.Broadcast()
}

// next returns the place of the job to begin now; -1 if there is none.
func (p *pool) next() int {
	if p.stopped || len(p.running) >= p.slots {
		return -1
	}
	return slices.IndexFunc(p.jobs, func(j Job) bool {
		return !p.waits(j) && !slices.ContainsFunc(p.running, func(other *Job) bool { return j.disturbs(*other) })
	})
}

// waits tells whether an exclusive job has to wait for one that has not begun.
func (p *pool) waits(j Job) bool {
	return j.Exclusive && slices.ContainsFunc(p.jobs, func(other Job) bool { return !other.Exclusive })
}

// disturbs tells whether two jobs cannot be done at the same time.
func (j Job) disturbs(other Job) bool {
	whole := func(j Job) bool { return j.Exclusive && len(j.Claims) == 0 }
	return j.Exclusive != other.Exclusive || whole(j) || whole(other) ||
		slices.ContainsFunc(j.Claims, func(claim string) bool { return slices.Contains(other.Claims, claim) })
}
