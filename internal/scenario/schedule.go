package scenario

import (
	"context"
	"slices"
	"sync"
)

// DefaultParallel is the default number of parallel runs in a cluster. They wait for pods most of
// the time.
const DefaultParallel = 4

// Job is one of many jobs in a cluster.
type Job struct {
	// Exclusive is true if the job affects all others. It waits until the other jobs are done.
	Exclusive bool
	// First is true for an exclusive job that starts before the jobs it conflicts with.
	First bool
	// Locks names cluster-wide resources that the job changes. Two jobs with a lock in common do
	// not run in parallel. No job runs in parallel with an exclusive one without locks.
	Locks []string
	// Tolerates names locks. This job can run in parallel with exclusive jobs that have only these
	// locks.
	Tolerates []string
	// Do runs the job. If it returns false, no other job starts.
	Do func(context.Context) (goOn bool)
	// Finish runs after Do, in parallel with other jobs. It can be nil.
	Finish func(context.Context)
}

// Schedule runs jobs in order, up to parallel at a time. Exclusive jobs run at the end, unless
// First is set. Later jobs can start while a job waits. When ctx ends or a job returns false, no
// other job starts. Schedule returns when all started jobs are done.
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
	mu        sync.Mutex
	changed   sync.Cond
	slots     int
	jobs      []Job
	running   []*Job
	finishing int // finishing is the number of jobs that run Finish
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

// change changes the state, and wakes Schedule.
func (p *scheduler) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	p.changed.Broadcast()
}

// stop prevents the start of more jobs.
func (p *scheduler) stop() { p.change(func() { p.stopped = true }) }

// next returns the index of the job to start now. It is -1 if no job can start.
func (p *scheduler) next() int {
	if p.stopped || len(p.running) >= p.slots {
		return -1
	}
	return slices.IndexFunc(p.jobs, func(j Job) bool {
		return !p.waits(j) && !slices.ContainsFunc(p.running, func(other *Job) bool { return j.conflictsWith(*other) })
	})
}

// waits reports whether a job has to wait for one that has not started.
func (p *scheduler) waits(j Job) bool {
	return slices.ContainsFunc(p.jobs, func(other Job) bool {
		isLater := j.Exclusive && !j.First && !other.Exclusive || !j.Exclusive && other.Exclusive && other.First
		return isLater && j.conflictsWith(other)
	})
}

// conflictsWith reports whether two jobs cannot run in parallel.
func (j Job) conflictsWith(other Job) bool {
	whole := func(j Job) bool { return j.Exclusive && len(j.Locks) == 0 }
	return j.Exclusive && !other.tolerates(j) || other.Exclusive && !j.tolerates(other) || whole(j) || whole(other) ||
		slices.ContainsFunc(j.Locks, func(lock string) bool { return slices.Contains(other.Locks, lock) })
}

// tolerates reports whether j can run in parallel with an exclusive job.
func (j Job) tolerates(exclusive Job) bool {
	if j.Exclusive {
		return true // conflictsWith checks for a common lock
	}
	return !slices.ContainsFunc(exclusive.Locks, func(lock string) bool { return !slices.Contains(j.Tolerates, lock) })
}
