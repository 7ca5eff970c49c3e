package controller

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// referencesTimeout is the longest wait for Secrets and ConfigMaps before the first table.
const referencesTimeout = 5 * time.Second

// serve starts all parts in order, waits until ctx ends, and stops them in order.
func (c *Controller) serve(ctx context.Context, l *listeners) error {
	defer l.close() // a server also closes its listener; closing it twice is harmless
	config, err := c.server.TLSConfig()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// work outlasts ctx, so that tables are still loaded during shutdown. requests outlasts both.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	requests, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	s := c.newServers(requests)
	s.https.TLSConfig = config
	c.log.Info("listening", "addresses", l.addresses())

	var running sync.WaitGroup
	running.Go(func() { s.serve(s.status, l.status) })
	running.Go(func() { s.serve(s.metrics, l.metrics) })
	running.Go(func() { s.report(c.reporter.Run(ctx)) })
	secure := proxy.ListenTLS(l.https, config)
	defer func() { _ = secure.Close() }()
	c.watcher.Start(work)
	running.Go(func() {
		if c.watcher.WaitForSync(work) != nil {
			return
		}
		c.log.Info("the API objects are loaded, serving")
		// Until the first table is loaded, new connections wait in the queue of the listener.
		// Without a table, requests would get a 404.
		c.firstTable(work)
		running.Go(func() { s.serve(s.http, proxy.Listen(l.http)) })
		running.Go(func() { s.serve(s.https, secure) })
		if c.registrar != nil {
			running.Go(func() { s.serve(s.admission, tls.NewListener(l.admission, c.registrar.TLS())) })
			running.Go(func() { c.registrar.Run(ctx) })
		}
		c.loop(work)
	})

	select {
	case err = <-s.failed:
	case <-ctx.Done():
		c.leave(s, abort)
	}
	stop()
	stopWork()
	s.close()
	c.watcher.Stop()
	running.Wait()
	c.server.CloseIdle()
	return err
}

// firstTable loads the first table. It first waits for the objects that the table refers to,
// starting with the controller's ConfigMap. Without them, this replica would respond with 503 to
// requests that other replicas can serve. The wait ends after referencesTimeout, so that one
// unreadable Secret does not block all routes.
func (c *Controller) firstTable(ctx context.Context) {
	enough := time.NewTimer(referencesTimeout)
	defer enough.Stop()
	for c.learn(ctx) {
		select {
		case <-c.watcher.Dirty():
			continue
		case <-enough.C:
			c.log.Warn("cannot read all secrets and configmaps, serving without them")
		case <-ctx.Done():
		}
		break
	}
	c.rebuild(ctx, time.Time{})
}

// learn watches the Secrets and ConfigMaps that the next table needs, and reports whether some are
// still loading.
func (c *Controller) learn(ctx context.Context) (more bool) {
	snapshot, err := c.watcher.Snapshot()
	if err != nil {
		return false // rebuild reports the error
	}
	c.watcher.Want(ctx, routing.FindReferences(snapshot, c.options()))
	return c.watcher.Loading()
}
