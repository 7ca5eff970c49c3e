package controller

import (
	"cmp"
	"context"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/controller/watch"
)

const (
	// settleQuiet is the pause in the stream of changes that makes the loop build. What belongs together in one step of a
	// rollout comes out of the informers within a millisecond or two.
	settleQuiet = 2 * time.Millisecond
	// settleLimit bounds the wait when changes never pause: an endpoint that left must not get requests for longer.
	settleLimit = 50 * time.Millisecond
	// referencesTimeout bounds the wait for Secrets and ConfigMaps before the first table.
	referencesTimeout = 5 * time.Second
	// heartbeat is how often the loop shows that it is alive when nothing changes.
	heartbeat = 2 * time.Second
)

// loop is the one goroutine that turns changes into tables. It owns all of that: there is nothing to lock, and two changes
// can never overtake each other.
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
			// A large table takes its time: rest as long as it took, so that a storm of changes leaves half a core for requests.
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

// firstTable puts the first table live. It waits until everything that the table refers to has been looked for, the
// controller's own ConfigMap to begin with: to serve before that would be to answer 503 to requests that other replicas can
// serve. A Secret that cannot be read must not keep the rest from being served, though, so the wait has an end.
func (c *Controller) firstTable(ctx context.Context) {
	enough := time.NewTimer(referencesTimeout)
	defer enough.Stop()
	for c.learn(ctx) {
		select {
		case <-c.watcher.Dirty():
			continue
		case <-enough.C:
			c.log.Warn("not all secrets and configmaps could be read, serving without them")
		case <-ctx.Done():
		}
		break
	}
	c.rebuild(ctx, time.Time{})
}

// learn finds out what the table will refer to, and reports whether some of it has not been looked for yet.
func (c *Controller) learn(ctx context.Context) (more bool) {
	snapshot, err := c.watcher.Snapshot()
	if err != nil {
		return false // rebuild says so
	}
	table, _ := routing.Build(snapshot, c.options(), c.server.Table().Memory())
	c.watcher.Want(ctx, table.References())
	return c.watcher.Loading()
}

// rebuild makes a table of everything there is and puts it live. event is when the first change was received; it returns
// how long it took.
func (c *Controller) rebuild(ctx context.Context, event time.Time) time.Duration {
	start := time.Now()
	snapshot, err := c.watcher.Snapshot()
	if err != nil {
		c.log.Error("cannot list the caches, the table stays as it is", "error", err)
		return time.Since(start)
	}
	table, problems := c.build(snapshot)
	before := c.server.Table()
	c.server.Swap(table)
	took := time.Since(start)
	if !event.IsZero() { // at the start everything would be new
		c.logChanges(changes(before, table))
	}
	c.watcher.Want(ctx, table.References())
	c.applySettings(table.Settings())
	c.health.built(problems, c.ownClasses(snapshot))
	c.dashboard.Changed()
	c.metrics.Build(table, problems, took, event)
	c.reporter.Observe(table, problems)
	c.log.Debug("table is live", "ingresses", len(table.Ingresses()), "routes", len(table.Routes()),
		"problems", len(problems), "took", took)
	return took
}

// build makes a table. If it refers to a Secret or ConfigMap that nobody has looked for yet, that is not a Problem but a
// matter of a moment, so it is built again with that in mind. A ConfigMap may lead to further references, hence the loop.
func (c *Controller) build(snapshot routing.Snapshot) (*routing.Table, []routing.Problem) {
	for {
		table, problems := routing.Build(snapshot, c.options(), c.server.Table().Memory())
		unknown := c.watcher.Unknown(table.References())
		more := beyond(snapshot.Loading.Secrets, unknown.Secrets)
		moreMaps := beyond(snapshot.Loading.ConfigMaps, unknown.ConfigMaps)
		if len(more)+len(moreMaps) == 0 {
			return table, problems
		}
		snapshot.Loading.Secrets = slices.Concat(snapshot.Loading.Secrets, more)
		snapshot.Loading.ConfigMaps = slices.Concat(snapshot.Loading.ConfigMaps, moreMaps)
	}
}

// beyond gives the names that are not among the known ones.
func beyond(known, names []types.NamespacedName) []types.NamespacedName {
	return slices.DeleteFunc(names, func(name types.NamespacedName) bool { return slices.Contains(known, name) })
}

// options are those of the next Build.
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

// applySettings does what the ConfigMap says about the process itself; the rest of it is in the table.
func (c *Controller) applySettings(s annotations.Settings) {
	if c.accessLog != nil {
		format, _ := proxy.ParseLogFormat(cmp.Or(s.AccessLog, c.config.AccessLog)) // both were checked
		c.accessLog.SetFormat(format)
	}
	if c.logLevel == nil {
		return
	}
	level := c.flagLevel
	if s.LogLevel != "" {
		_ = level.UnmarshalText([]byte(s.LogLevel)) // checked when it was read
	}
	c.logLevel.Set(level)
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
