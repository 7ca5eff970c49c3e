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

// Deps are what a controller needs from outside.
type Deps struct {
	// Client talks to the API server.
	Client kubernetes.Interface
	// Log takes what operators want to know; nil discards it.
	Log *slog.Logger
	// LogLevel is that of Log. It follows the key log-level of the ConfigMap; what it is at the start holds without one. nil: Log
	// stays as it is.
	LogLevel *slog.LevelVar
	// AccessLog takes one line for each request, in the format of Config.AccessLog; nil discards them.
	AccessLog io.Writer
	// Dial opens connections to endpoints; nil means the network.
	Dial proxy.DialFunc
	// Listening is called once all ports are bound, before the first request is served; it may be nil.
	Listening func(Addresses)
}

// Controller is a running ingress controller; Run makes one.
type Controller struct {
	config      Config
	log         *slog.Logger
	logLevel    *slog.LevelVar // nil: it stays as it is
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

// Run runs a controller until ctx ends, which stands for the signal to stop: it then goes on serving for the grace time,
// lets requests in flight finish, gives up the Lease and returns nil. Any other end is an error: a Config that cannot
// work, a port that is taken.
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

// wire makes the parts and connects them: changes wake the loop (loop.go), the loop swaps tables into the server and tells
// the reporter; every finished request goes to the metrics and the access log.
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

// requestDone takes the record of every request.
func (c *Controller) requestDone(record *proxy.Record) {
	c.metrics.Request(record)
	if c.accessLog != nil {
		c.accessLog.Write(record)
	}
}

// watchFailed makes a failing watch known everywhere: objects that are not seen are routes that go stale.
func (c *Controller) watchFailed(resource string, err error) {
	c.metrics.WatchError(resource)
	c.health.watchFailed(resource, err)
	c.dashboard.Changed()
	c.log.Error("cannot watch the API server, going on with what was seen last", "resource", resource, "error", err)
}

func (c *Controller) closeLog() {
	if c.accessLog != nil {
		c.accessLog.Close()
	}
}

// identity is how we are called in the Lease: the pod's name, or outside a cluster something as unlikely to be used twice.
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
