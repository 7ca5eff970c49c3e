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

// exitUsage is the exit code for an invalid command line. curl uses the same code.
const exitUsage = 2

const usage = `usage: workload COMMAND [flags]

servers
  cheese --cheese=NAME           serves a page with a picture of the cheese, on port 80
  backend --number=N --port=P    reports its number and port; slow, failing, or streaming on request
  default-backend                responds with 404 to unmatched requests
tools
  net-test                       waits, so that you can run the other tools in its pod
  curl, wget, nslookup           small versions of these; links with these names work, too
  probe REQUEST...               sends the requests of a scenario and prints the responses, one JSON object a line

workload COMMAND --help lists the flags of a command.
`

type streams struct{ out, err io.Writer }

// run runs a command and returns its exit code. If program is the name of a tool, it runs that tool; otherwise the first argument
// names the command.
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
		return fetch.Curl(ctx, args, fetch.Streams{Out: std.out, Err: std.err}), true
	case "wget":
		return fetch.Wget(ctx, args, fetch.Streams{Out: std.out, Err: std.err}), true
	case "nslookup":
		return nslookup.Main(ctx, args, std.out, std.err), true
	case "probe":
		return send(ctx, args, std), true
	}
	return 0, false
}

// send sends the requests of a scenario from this pod, one after the other, and prints a line for each.
func send(ctx context.Context, requests []string, std streams) int {
	if len(requests) == 0 {
		_, _ = fmt.Fprintln(std.err, "workload probe: no request given; pass each request as an argument in JSON")
		return exitUsage
	}
	if err := probe.Answers(ctx, requests, std.out); err != nil {
		_, _ = fmt.Fprintf(std.err, "workload probe: %v\n", err)
		return exitUsage
	}
	return 0
}

// netTest keeps the pod running until ctx ends, because the image has no shell. Meanwhile, it sends requests for scenarios.
func netTest(ctx context.Context, args []string, std streams) int {
	if len(args) > 0 {
		_, _ = fmt.Fprintf(std.err, "workload net-test: unexpected arguments %q\n", args)
		return exitUsage
	}
	_, _ = fmt.Fprintln(std.err, "net-test: waiting; try: kubectl exec net-test -- curl -s http://SERVICE/")
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf(":%d", probe.AgentPort))
	if err != nil {
		_, _ = fmt.Fprintf(std.err, "net-test: scenarios must use exec to send requests from this pod: %v\n", err)
		<-ctx.Done()
		return 0
	}
	agent := &http.Server{Handler: probe.Agent(), ReadHeaderTimeout: agentHeaderTimeout}
	context.AfterFunc(ctx, func() { _ = agent.Close() })
	_ = agent.Serve(listener) // returns when the listener is closed or fails
	<-ctx.Done()
	return 0
}

// agentHeaderTimeout exceeds the time that a request through the API server's proxy takes.
const agentHeaderTimeout = 10 * time.Second
