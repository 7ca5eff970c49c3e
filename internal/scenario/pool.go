package scenario

import (
	"context"
	"sync"
)

// DefaultParallel is how many runs share a cluster unless somebody says otherwise. They wait for pods most of the time, and a
// machine of two cores starts the pods of a few.
const DefaultParallel = 4

// Job is one of many things to do in one cluster.
type Job struct {
	// Alone is set if no other may be done at the same time.
	Alone bool
	// Do does it; with false, nothing is begun any more.
	Do func(context.Context) (goOn bool)
}

// Pool does jobs, at most parallel of them at the same time, and then those that have to be alone, in their order. When ctx
// ends, or a job says so, it begins no further one. It returns when all that were begun are done.
func Pool(ctx context.Context, parallel int, jobs []Job) {
	stop := make(chan struct{})
	var once sync.Once
	do := func(j Job) {
		if !j.Do(ctx) {
			once.Do(func() { close(stop) })
		}
	}
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return ctx.Err() != nil
		}
	}
	slots := make(chan struct{}, max(parallel, 1))
	var running sync.WaitGroup
	for _, j := range jobs {
		if j.Alone {
			continue
		}
		slots <- struct{}{}
		if stopped() {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			do(j)
		})
	}
	running.Wait()
	for _, j := range jobs {
		if j.Alone && !stopped() {
			do(j)
		}
	}
}
