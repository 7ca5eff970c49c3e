//go:build linux

// Command podnet runs the pod network of one node; see package podnet. It takes its
// settings from the environment, where the manifest of its DaemonSet puts them:
//
//	NODE_NAME   the node it runs on (required; downward API, spec.nodeName)
//	POD_SUBNET  the ranges of all pods of the cluster, separated by commas (required)
//	CNI_DIR     where the container runtime looks for CNI configuration (/etc/cni/net.d)
//	CONTROL_PLANE_ENDPOINT
//	            host and port of the API server (that of the service account). kind knows it
//	            and adds it. It does away with waiting for kube-proxy, whose rules the
//	            service's address needs.
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
