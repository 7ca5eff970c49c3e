package controller

import (
	"cmp"
	"context"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/controller/watch"
)

const (
	// settleQuiet is the pause between changes after which the loop builds a table. Informers
	// deliver the changes of one rollout step within 1 ms or 2 ms.
	settleQuiet = 2 * time.Millisecond
	// settleLimit is the longest wait if changes never pause: a removed endpoint must not get
	// requests for longer.
	settleLimit = 50 * time.Millisecond
	// heartbeat is how often the loop reports that it is alive if nothing changes.
	heartbeat = 2 * time.Second
)

// loop is the only goroutine that turns changes into tables. So it needs no lock, and tables are
// loaded in order.
func (c *Controller) loop(ctx context.Context) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var took time.Duration
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		case event := <-c.watcher.Dirty():
			// Wait at least as long as the last build took, so that the loop uses at most half a
			// core.
			quiet := max(settleQuiet, took)
			watch.Settle(ctx, c.watcher.Dirty(), quiet, max(settleLimit, quiet))
			if ctx.Err() != nil {
				return
			}
			took = c.rebuild(ctx, event)
		}
		c.health.beat()
	}
}

// rebuild builds a table from all objects and loads it. event is the time of the first change.
// rebuild returns its duration.
func (c *Controller) rebuild(ctx context.Context, event time.Time) time.Duration {
	start := time.Now()
	snapshot, err := c.watcher.Snapshot()
	if err != nil {
		c.log.Error("cannot list the caches, keeping the table", "error", err)
		return time.Since(start)
	}
	table, problems := c.build(snapshot)
	before := c.server.Table()
	c.server.Swap(table)
	took := time.Since(start)
	if !event.IsZero() { // at startup, everything would be new
		c.logChanges(changes(before, table))
	}
	c.watcher.Want(ctx, table.References())
	c.applySettings(table.Settings())
	c.health.built(problems, c.ownClasses(snapshot))
	c.dashboard.Changed()
	c.metrics.Build(table, problems, took, event)
	c.reporter.Observe(table, problems)
	c.log.Debug("table is loaded", "ingresses", len(table.Ingresses()), "routes", len(table.Routes()),
		"problems", len(problems), "took", took)
	return took
}

// build returns a new table. References that are not watched yet count as Loading, because such a
// Secret or ConfigMap might exist.
func (c *Controller) build(snapshot routing.Snapshot) (*routing.Table, []routing.Problem) {
	options := c.options()
	unknown := c.watcher.Unknown(routing.FindReferences(snapshot, options))
	snapshot.Loading.Secrets = slices.Concat(snapshot.Loading.Secrets, unknown.Secrets)
	snapshot.Loading.ConfigMaps = slices.Concat(snapshot.Loading.ConfigMaps, unknown.ConfigMaps)
	return routing.Build(snapshot, options, c.server.Table().Memory())
}

// options returns the Options for the next Build.
func (c *Controller) options() routing.Options {
	return routing.Options{
		ControllerClass:          c.config.ControllerClass,
		IngressClass:             c.config.IngressClass,
		WatchIngressWithoutClass: c.config.WatchIngressWithoutClass,
		DefaultBackend:           c.config.DefaultBackend,
		ConfigMap:                c.config.ConfigMap,
		DefaultCertificate:       c.config.DefaultCertificate,
		AllowExternalName:        c.config.AllowExternalName,
	}
}

// applySettings applies the ConfigMap keys for the whole process. The table applies the others.
func (c *Controller) applySettings(s annotations.Settings) {
	if c.accessLog != nil {
		format, _ := proxy.ParseLogFormat(cmp.Or(s.AccessLog, c.config.AccessLog)) // both are valid
		c.accessLog.SetFormat(format)
	}
	if c.logLevel == nil {
		return
	}
	level := c.flagLevel
	if s.LogLevel != "" {
		_ = level.UnmarshalText([]byte(s.LogLevel)) // ParseSettings checked it
	}
	c.logLevel.Set(level)
}

// ownClasses returns the IngressClasses of this controller.
func (c *Controller) ownClasses(s routing.Snapshot) []*networkingv1.IngressClass {
	var own []*networkingv1.IngressClass
	for _, class := range s.IngressClasses {
		if class.Spec.Controller == c.config.ControllerClass {
			own = append(own, class)
		}
	}
	return own
}
