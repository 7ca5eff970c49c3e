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
	// First is set for an exclusive job that goes before those it conflictsWith, and not after them.
	First bool
	// Locks names what there is only one of in the cluster, and what the job changes. No two jobs with a lock in common are done at
	// the same time, and beside an exclusive one without locks there is none at all.
	Locks []string
	// Tolerates names the locks of exclusive jobs that change nothing for this one: it may be done beside them.
	Tolerates []string
	// Do does it; with false, nothing is begun any more.
	Do func(context.Context) (goOn bool)
	// Finish, which may be nil, is done afterwards, to wait for what nobody else meets: others begin meanwhile.
	Finish func(context.Context)
}

// Schedule does jobs in their order, at most parallel of them at the same time, the exclusive ones at the end or First. A job whose turn it is,
// and who has to wait for another one, lets those behind it go first. When ctx ends, or a job says so, no further one is begun.
// Schedule returns when all that were begun are done.
func Schedule(ctx context.Context, parallel int, jobs []Job) {
	p := &scheduler{slots: max(parallel, 1), jobs: slices.Clone(jobs)}
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
		case len(p.running)+p.finishing == 0:
			return
		default:
			p.changed.Wait()
		}
	}
}

// scheduler is the state of Schedule; mu guards all of it.
type scheduler struct {
	mu      sync.Mutex
	changed sync.Cond
	slots   int
	jobs    []Job
	running []*Job
	// finishing is of how many jobs only Finish is left.
	finishing int
	stopped   bool
}

func (p *scheduler) do(ctx context.Context, j *Job) {
	goOn := j.Do(ctx)
	p.change(func() {
		p.running = slices.DeleteFunc(p.running, func(other *Job) bool { return other == j })
		p.finishing++
		p.stopped = p.stopped || !goOn
	})
	if j.Finish != nil {
		j.Finish(ctx)
	}
	p.change(func() { p.finishing-- })
}

// change does something to the pool that others may wait for.
func (p *scheduler) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	p.changed.Broadcast()
}

// stop has nothing begun any more.
func (p *scheduler) stop() { p.change(func() { p.stopped = true }) }

// next returns the place of the job to begin now; -1 if there is none.
func (p *scheduler) next() int {
	if p.stopped || len(p.running) >= p.slots {
		return -1
	}
	return slices.IndexFunc(p.jobs, func(j Job) bool {
		return !p.waits(j) && !slices.ContainsFunc(p.running, func(other *Job) bool { return j.conflictsWith(*other) })
	})
}

// waits tells whether a job has to wait for one that has not begun.
func (p *scheduler) waits(j Job) bool {
	return slices.ContainsFunc(p.jobs, func(other Job) bool {
		isLater := j.Exclusive && !j.First && !other.Exclusive || !j.Exclusive && other.Exclusive && other.First
		return isLater && j.conflictsWith(other)
	})
}

// conflictsWith tells whether two jobs cannot be done at the same time.
func (j Job) conflictsWith(other Job) bool {
	whole := func(j Job) bool { return j.Exclusive && len(j.Locks) == 0 }
	return j.Exclusive && !other.tolerates(j) || other.Exclusive && !j.tolerates(other) || whole(j) || whole(other) ||
		slices.ContainsFunc(j.Locks, func(lock string) bool { return slices.Contains(other.Locks, lock) })
}

// tolerates tells whether it is all the same to a job what an exclusive one changes.
func (j Job) tolerates(exclusive Job) bool {
	if j.Exclusive {
		return true // unless they lock the same
	}
	return !slices.ContainsFunc(exclusive.Locks, func(lock string) bool { return !slices.Contains(j.Tolerates, lock) })
}
