package controller

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// serve starts everything in order, waits for the end of ctx, and stops everything in order.
func (c *Controller) serve(ctx context.Context, l *listeners) error {
	defer l.close() // those that come to be served are closed by their servers; once more does no harm
	config, err := c.server.TLSConfig()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// work outlives ctx: while we leave, tables still follow the cluster. requests outlives both.
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
		c.log.Info("the API objects are here, serving")
		// Connections that came before the first table wait in the listener's queue: a moment later they get their page,
		// earlier they would have got a 404.
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

// leave stops serving without losing a request: it fails the readiness probe, serves on while the news spreads, stops
// accepting, and waits for the requests in flight.
func (c *Controller) leave(s *servers, abort context.CancelCauseFunc) {
	c.health.stop()
	c.dashboard.Changed()
	c.server.Drain()
	c.log.Info("stopping", "grace", c.config.ShutdownGrace, "timeout", c.config.ShutdownTimeout)
	grace := time.NewTimer(c.config.ShutdownGrace)
	defer grace.Stop()
	<-grace.C

	ctx, cancel := context.WithTimeout(context.Background(), c.config.ShutdownTimeout)
	defer cancel()
	var closing sync.WaitGroup
	closing.Go(func() { _ = s.http.Shutdown(ctx) }) // its only error is ctx's, which the next line meets too
	closing.Go(func() { _ = s.https.Shutdown(ctx) })
	closing.Wait()
	// Upgraded connections are not the server's any more, but ours.
	if err := c.server.WaitIdle(ctx); err != nil {
		c.log.Warn("requests did not end in time and are broken off", "requests", c.server.InFlight())
		abort(proxy.ErrShutdown)
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.server.WaitIdle(last) // the process ends anyway
	}
	c.log.Info("stopped serving")
}
