package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/workload/fetch"
	"github.com/ingresslab/ingresslab/internal/workload/nslookup"
)

// exitUsage is what a command line that makes no sense gets, from the servers as from curl.
const exitUsage = 2

const usage = `usage: workload COMMAND [flags]

servers
  cheese --cheese=NAME           a page with a picture of the cheese, on port 80
  backend --number=N --port=P    says its number and port; slow, failing, streaming on request
  default-backend                404 for whatever no rule wanted
tools
  net-test                       waits, so that one can exec into its pod
  curl, wget, nslookup           small versions of these; also by links of those names
  probe REQUEST...               sends requests and describes the answers, a line each, in JSON, for scenarios

workload COMMAND --help lists the flags of a command.
`

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run picks the command: by the name that the program was called by, if that is a tool's, else by
// the first argument. It returns the exit code.
func run(ctx context.Context, program string, args []string, std streams) int {
	if code, found := tool(ctx, program, args, std); found {
		return code
	}
	if len(args) == 0 {
		_, _ = fmt.Fprint(std.err, usage)
		return exitUsage
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		_, _ = fmt.Fprint(std.out, usage)
		return 0
	case "net-test":
		return netTest(ctx, args, std)
	case "cheese", "backend", "default-backend":
		return server(ctx, name, args, std)
	}
	if code, found := tool(ctx, name, args, std); found {
		return code
	}
	_, _ = fmt.Fprintf(std.err, "workload: no command %q\n\n%s", name, usage)
	return exitUsage
}

func tool(ctx context.Context, name string, args []string, std streams) (code int, found bool) {
	switch name {
	case "curl":
		return fetch.Curl(ctx, args, fetch.Streams{In: std.in, Out: std.out, Err: std.err}), true
	case "wget":
		return fetch.Wget(ctx, args, fetch.Streams{In: std.in, Out: std.out, Err: std.err}), true
	case "nslookup":
		return nslookup.Main(ctx, args, std.out, std.err), true
	case "probe":
		return ask(ctx, args, std), true
	}
	return 0, false
}

// ask sends the requests of a scenario that wants to know what a pod sees, one after the other, and prints a line for each.
func ask(ctx context.Context, requests []string, std streams) int {
	if len(requests) == 0 {
		_, _ = fmt.Fprintln(std.err, "workload probe: takes requests in JSON, each of them an argument, got none")
		return exitUsage
	}
	if err := probe.Answers(ctx, requests, std.out); err != nil {
		_, _ = fmt.Fprintf(std.err, "workload probe: %v\n", err)
		return exitUsage
	}
	return 0
}

// netTest waits until it is told to go, for FROM scratch has no shell that could, and asks for scenarios meanwhile.
func netTest(ctx context.Context, args []string, std streams) int {
	if len(args) > 0 {
		_, _ = fmt.Fprintf(std.err, "workload net-test: takes no arguments, got %q\n", args)
		return exitUsage
	}
	_, _ = fmt.Fprintln(std.err, "net-test: waiting; try: kubectl exec net-test -- curl -s http://SERVICE/")
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf(":%d", probe.AgentPort))
	if err != nil {
		_, _ = fmt.Fprintf(std.err, "net-test: scenarios have to exec to ask from here: %v\n", err)
		<-ctx.Done()
		return 0
	}
	agent := &http.Server{Handler: probe.Agent(), ReadHeaderTimeout: agentHeaderTimeout}
	context.AfterFunc(ctx, func() { _ = agent.Close() })
	_ = agent.Serve(listener) // which ends when it is closed, or there is no way to go on
	<-ctx.Done()
	return 0
}

// agentHeaderTimeout is longer than anybody takes who asks through the API server.
const agentHeaderTimeout = 10 * time.Second
