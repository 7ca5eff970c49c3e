package controller

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/controller/admission"
	"github.com/ingresslab/ingresslab/controller/dashboard"
	"github.com/ingresslab/ingresslab/controller/metrics"
	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/status"
	"github.com/ingresslab/ingresslab/controller/watch"
)

// Deps are the dependencies of a controller.
type Deps struct {
	// Client is the client of the API server.
	Client kubernetes.Interface
	// Log receives messages for operators. If it is nil, they are discarded.
	Log *slog.Logger
	// LogLevel is the level of Log. The ConfigMap key log-level changes it, and its initial value
	// applies without that key. If it is nil, the level never changes.
	LogLevel *slog.LevelVar
	// AccessLog receives one line for each request, in the format of Config.AccessLog. If it is
	// nil, the lines are discarded.
	AccessLog io.Writer
	// Dial opens connections to endpoints. If it is nil, connections use the network.
	Dial proxy.DialFunc
	// Listening is called after all ports are bound and before the first request. It can be nil.
	Listening func(Addresses)
}

// Controller is a running ingress controller. Run creates one.
type Controller struct {
	config      Config
	log         *slog.Logger
	logLevel    *slog.LevelVar // nil if the level never changes
	flagLevel   slog.Level
	watcher     *watch.Watcher
	server      *proxy.Server
	connections *proxy.Connections
	reporter    *status.Reporter
	metrics     *metrics.Metrics
	dashboard   *dashboard.Dashboard
	accessLog   *proxy.AccessLog
	registrar   *admission.Registrar // nil without --admission
	health      health
	started     time.Time
}

// Run runs a controller until ctx ends. It then serves for the grace time, waits for the requests
// in flight, releases the Lease, and returns nil. It returns an error if the controller cannot run,
// for example because a port is in use.
func Run(ctx context.Context, config Config, deps Deps) error {
	if err := config.Validate(); err != nil {
		return err
	}
	c, err := wire(config, deps)
	if err != nil {
		return err
	}
	defer c.closeLog()
	listeners, err := bind(ctx, config)
	if err != nil {
		return err
	}
	if deps.Listening != nil {
		deps.Listening(listeners.addresses())
	}
	return c.serve(ctx, listeners)
}

// wire creates the parts and connects them. Changes wake the loop (loop.go). The loop loads tables
// into the server and passes them to the reporter. Finished requests go to the metrics and the
// access log.
func wire(config Config, deps Deps) (*Controller, error) {
	c := &Controller{
		config:      config,
		log:         deps.Log,
		logLevel:    deps.LogLevel,
		connections: proxy.NewConnections(),
		metrics:     metrics.New(),
		started:     time.Now(),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.logLevel != nil {
		c.flagLevel = c.logLevel.Level()
	}
	var err error
	c.watcher, err = watch.New(deps.Client, watch.Options{
		Namespace: config.WatchNamespace,
		OnError:   c.watchFailed,
		OnIngress: func() { c.reporter.Wake() },
	})
	if err != nil {
		return nil, fmt.Errorf("informers: %w", err)
	}
	c.reporter = status.New(status.Options{
		Client:        deps.Client,
		Ingresses:     c.watcher.Ingresses(),
		Log:           c.log,
		PodName:       config.PodName,
		PodNamespace:  config.PodNamespace,
		Identity:      identity(config),
		LeaseName:     config.ElectionID,
		LeaseDuration: config.LeaseDuration,
		Service:       config.PublishService,
		Addresses:     config.PublishStatusAddress,
	})
	c.server = proxy.New(proxy.Options{
		Dial:    deps.Dial,
		Explain: config.ExplainHeader,
		Observe: c.requestDone,
		Log:     c.log,
	})
	c.registrar = newRegistrar(deps.Client, c)
	c.dashboard = dashboard.New(c.facts())
	sources := metrics.Sources{Server: c.server, Leading: c.reporter.Leading}
	if deps.AccessLog != nil {
		c.accessLog = proxy.NewAccessLog(deps.AccessLog)
		sources.AccessLogDropped = c.accessLog.Dropped
	}
	c.metrics.Attach(sources)
	return c, nil
}

// requestDone records every finished request.
func (c *Controller) requestDone(record *proxy.Record) {
	c.metrics.Request(record)
	if c.accessLog != nil {
		c.accessLog.Write(record)
	}
}

// watchFailed reports a failed watch in the log, metrics, and status page: routes become stale.
func (c *Controller) watchFailed(resource string, err error) {
	c.metrics.WatchError(resource)
	c.health.watchFailed(resource, err)
	c.dashboard.Changed()
	c.log.Error("cannot watch the API server, keeping the objects received last", "resource", resource, "error", err)
}

func (c *Controller) closeLog() {
	if c.accessLog != nil {
		c.accessLog.Close()
	}
}

// identity returns the name of this replica in the Lease: the pod name, or a unique name outside a
// cluster.
func identity(config Config) string {
	if config.PodName != "" {
		return config.PodName
	}
	host, err := os.Hostname()
	if err != nil {
		host = "controller"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
