// Command ingress-controller serves the Ingresses of a Kubernetes cluster. --help lists its flags;
// package controller documents how it works.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/ingresslab/ingresslab/controller"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is main with its environment as parameters. Access logs go to stdout, other logs to stderr.
func run(args []string, env func(string) string, stdout, stderr io.Writer) int {
	o, err := parse(args, env)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, _ = io.WriteString(stdout, usage()) // fails only if stdout is closed
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "ingress-controller: %v\n", err)
		return exitUsage
	}
	level := new(slog.LevelVar)
	level.Set(o.logLevel)
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log) // logs of client-go

	client, err := connect(o.kubeconfig)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "ingress-controller: %v\n", err)
		return exitFailed
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// After the first signal, restore the default handler: a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	err = controller.Run(ctx, o.config, controller.Deps{Client: client, Log: log, LogLevel: level, AccessLog: stdout})
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "ingress-controller: %v\n", err)
		return exitFailed
	}
	return 0
}

// The controller's rate limits for API requests. When the published address changes, many status
// writes must not delay other requests. The burst is for a start with a thousand Secrets: the
// controller lists and watches each of them by name before it serves its routes.
const (
	clientQPS   = 100
	clientBurst = 2000
)

// connect returns a client from a kubeconfig file, or in a pod from the service account.
func connect(kubeconfig string) (kubernetes.Interface, error) {
	config, err := restConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	config.UserAgent = "ingresslab-ingress-controller"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("API client: %w", err)
	}
	return client, nil
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("--kubeconfig: %w", err)
		}
		return config, nil
	}
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, fmt.Errorf("not in a pod (KUBERNETES_SERVICE_HOST is not set); set --kubeconfig")
	}
	if err != nil {
		return nil, fmt.Errorf("service account of the pod: %w", err)
	}
	return config, nil
}
