package controller

import (
	"context"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/controller/watch"
)

const (
	// settleQuiet is the pause in the stream of changes that makes the loop build. The objects of one kubectl apply, or of
	// one step of a rollout, arrive within a few milliseconds of each other; nobody notices five.
	settleQuiet = 5 * time.Millisecond
	// settleLimit bounds the wait when changes never pause: an endpoint that left must not get requests for longer.
	settleLimit = 50 * time.Millisecond
	// heartbeat is how often the loop shows that it is alive when nothing changes.
	heartbeat = 2 * time.Second
)

// loop is the one goroutine that turns changes into tables. It owns all of that: there is nothing to lock, and two changes
// can never overtake each other.
func (c *Controller) loop(ctx context.Context) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	took := c.rebuild(time.Time{})
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		case event := <-c.watcher.Dirty():
			// A large table takes its time: rest as long as it took, so that a storm of changes leaves half a core for requests.
			quiet := max(settleQuiet, took)
			watch.Settle(ctx, c.watcher.Dirty(), quiet, max(settleLimit, quiet))
			if ctx.Err() != nil {
				return
			}
			took = c.rebuild(event)
		}
		c.health.beat()
	}
}

// rebuild makes a table of everything there is and puts it live. event is when the first change was received; it returns
// how long it took.
func (c *Controller) rebuild(event time.Time) time.Duration {
	start := time.Now()
	snapshot, err := c.watcher.Snapshot()
	if err != nil {
		c.log.Error("cannot list the caches, the table stays as it is", "error", err)
		return time.Since(start)
	}
	table, problems := routing.Build(snapshot, routing.Options{
		ControllerClass:          c.config.ControllerClass,
		IngressClass:             c.config.IngressClass,
		WatchIngressWithoutClass: c.config.WatchIngressWithoutClass,
		DefaultBackend:           c.config.DefaultBackend,
	})
	c.server.Swap(table)
	took := time.Since(start)
	c.health.built(problems, c.ownClasses(snapshot))
	c.dashboard.Changed()
	c.metrics.Build(table, problems, took, event)
	c.reporter.Observe(table, problems)
	c.log.Debug("table is live", "ingresses", len(table.Ingresses()), "routes", len(table.Routes()),
		"problems", len(problems), "took", took)
	return took
}

// ownClasses are the IngressClasses that name us.
func (c *Controller) ownClasses(s routing.Snapshot) []*networkingv1.IngressClass {
	var own []*networkingv1.IngressClass
	for _, class := range s.IngressClasses {
		if class.Spec.Controller == c.config.ControllerClass {
			own = append(own, class)
		}
	}
	return own
}
