//go:build linux

// Command podnet runs the pod network of one node; see package podnet. It reads environment
// variables that the manifest of its DaemonSet sets:
//
//	NODE_NAME   the name of the node (required; spec.nodeName from the downward API)
//	POD_SUBNET  the pod ranges of the cluster, separated by commas (required)
//	CNI_DIR     the container runtime's directory for CNI configuration (default: /etc/cni/net.d)
//	CONTROL_PLANE_ENDPOINT
//	            HOST:PORT of the API server (default: the Service kubernetes). kind sets it, so that
//	            podnet does not wait for the rules of kube-proxy.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/rest"

	"github.com/ingresslab/ingresslab/internal/nodeimage/podnet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Getenv, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "podnet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string, log *slog.Logger) error {
	node := getenv("NODE_NAME")
	if node == "" {
		return errors.New("NODE_NAME is not set")
	}
	ranges, err := podnet.ParseRanges(getenv("POD_SUBNET"))
	if err != nil {
		return fmt.Errorf("POD_SUBNET: %w", err)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("read service account: %w", err)
	}
	if endpoint := getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	nodes, err := podnet.Nodes(config)
	if err != nil {
		return err
	}
	daemon := podnet.Daemon{
		Node:          node,
		ClusterRanges: ranges,
		Host:          podnet.Linux{ConfigDir: cmp.Or(getenv("CNI_DIR"), "/etc/cni/net.d")},
		Log:           log,
	}
	return daemon.Run(ctx, nodes)
}
