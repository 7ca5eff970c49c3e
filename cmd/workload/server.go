package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/workload"
	"github.com/ingresslab/ingresslab/internal/workload/cheese"
)

// serverFlags are the flags of a server.
type serverFlags struct {
	cheese       string
	number, port int
	tlsPort      int
	drain, grace time.Duration
	logRequests  bool
}

// server parses the flags of a server and runs it until ctx ends.
func server(ctx context.Context, name string, args []string, std streams) int {
	f, err := parseServerFlags(name, args, std)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(std.err, "workload %s: %v\n", name, err)
		return exitUsage
	}
	if err := serve(ctx, name, f, std); err != nil {
		_, _ = fmt.Fprintf(std.err, "workload %s: %v\n", name, err)
		return 1
	}
	return 0
}

func parseServerFlags(name string, args []string, std streams) (serverFlags, error) {
	var f serverFlags
	set := flag.NewFlagSet("workload "+name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // the caller prints the error
	port := 8080
	switch name {
	case "cheese":
		port = 80 // for "kubectl expose deployment cheddar --port=80"
		set.StringVar(&f.cheese, "cheese", "", "the cheese to show: "+strings.Join(cheese.Names(), ", "))
	case "backend":
		set.IntVar(&f.number, "number", 1, "number to show in the greeting (1 or higher)")
	}
	set.IntVar(&f.port, "port", port, "TCP port for HTTP/1.1 and unencrypted HTTP/2; 0 selects a free one")
	set.IntVar(&f.tlsPort, "tls-port", -1, "TCP port for HTTPS with a self-signed certificate; -1 for none")
	set.DurationVar(&f.drain, "drain", workload.DefaultDrain, "how long to continue serving after SIGTERM")
	set.DurationVar(&f.grace, "grace", workload.DefaultGrace, "how long to wait for running requests after that")
	set.BoolVar(&f.logRequests, "log-requests", true, "log each request to standard error")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		set.SetOutput(std.out)
		_, _ = fmt.Fprintf(std.out, "flags of workload %s:\n", name)
		set.PrintDefaults()
		return f, err
	case err != nil:
		return f, err
	}
	return f, f.check(name, set.Args())
}

func (f serverFlags) check(name string, rest []string) error {
	switch {
	case name == "cheese" && f.cheese == "":
		return fmt.Errorf("--cheese is missing; it is one of %s", strings.Join(cheese.Names(), ", "))
	case name == "cheese" && !slices.Contains(cheese.Names(), f.cheese):
		return fmt.Errorf("--cheese: %q is not one of %s", f.cheese, strings.Join(cheese.Names(), ", "))
	case name == "backend" && f.number < 1:
		return fmt.Errorf("--number: %d is less than 1", f.number)
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q; write flags as --name=value", rest[0])
	case f.port < 0 || f.port > 65535:
		return fmt.Errorf("--port: %d is not between 0 and 65535", f.port)
	case f.tlsPort < -1 || f.tlsPort > 65535:
		return fmt.Errorf("--tls-port: %d is not between -1 and 65535", f.tlsPort)
	case f.tlsPort > 0 && f.tlsPort == f.port:
		return fmt.Errorf("--tls-port: %d is already the --port", f.tlsPort)
	case f.drain < 0:
		return fmt.Errorf("--drain: %s is negative", f.drain)
	case f.grace < 0:
		return fmt.Errorf("--grace: %s is negative", f.grace)
	}
	return nil
}

func newApp(name string, f serverFlags, port int) (*workload.App, error) {
	id := workload.Identify(workload.HostSurroundings())
	switch name {
	case "cheese":
		return workload.NewCheese(f.cheese, id)
	case "backend":
		return workload.NewBackend(f.number, port, id)
	default:
		return workload.NewDefaultBackend(id)
	}
}

func serve(ctx context.Context, name string, f serverFlags, std streams) error {
	listener, err := workload.Listen(ctx, f.port)
	if err != nil {
		return err
	}
	var tlsListener net.Listener
	if f.tlsPort >= 0 {
		if tlsListener, err = workload.Listen(ctx, f.tlsPort); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	port := f.port
	if address, ok := listener.Addr().(*net.TCPAddr); ok {
		port = address.Port // --port=0 selects a free one
	}
	app, err := newApp(name, f, port)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return (&workload.Server{
		App:         app,
		Listener:    listener,
		TLSListener: tlsListener,
		Drain:       f.drain,
		Grace:       f.grace,
		Log:         slog.New(slog.NewTextHandler(std.err, nil)),
		LogRequests: f.logRequests,
	}).Run(ctx)
}
