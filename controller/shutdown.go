package controller

import (
	"context"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// leave stops serving without losing a request. It fails the readiness probe, serves until clients
// have noticed, stops accepting connections, and waits for the requests in flight.
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
	closing.Go(func() { _ = s.http.Shutdown(ctx) }) // its only error is that of ctx, which WaitIdle returns, too
	closing.Go(func() { _ = s.https.Shutdown(ctx) })
	closing.Wait()
	// Upgraded connections no longer belong to the http.Server.
	if err := c.server.WaitIdle(ctx); err != nil {
		c.log.Warn("aborting requests that did not end in time", "requests", c.server.InFlight())
		abort(proxy.ErrShutdown)
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.server.WaitIdle(last) // the process exits anyway
	}
	c.log.Info("stopped serving")
}
