package deploy

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// rolloutTimeout bounds the time until the controller runs on every node. Its
// pods are replaced one after the other, for each holds a port of its node.
const rolloutTimeout = 3 * time.Minute

// install applies the objects and waits until the controller is ready on every
// node. Objects that are as wanted are left alone.
func install(ctx context.Context, client *kube.Client, objs []*unstructured.Unstructured, progress cluster.Progress) (err error) {
	done := progress.Step("Installing the controller")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, rolloutTimeout)
	defer cancel()
	for _, o := range objs {
		if o.GetKind() != "Namespace" {
			continue
		}
		if err := client.OutlastNamespace(ctx, o.GetName()); err != nil {
			return fmt.Errorf("controller: %w", err)
		}
	}
	if err := client.Apply(ctx, objs...); err != nil {
		return err
	}
	if err := client.WaitReady(ctx, workloads(objs)...); err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	return nil
}

// workloads returns the objects that run pods; the others are ready when they
// have been applied.
func workloads(objs []*unstructured.Unstructured) []*unstructured.Unstructured {
	var pods []*unstructured.Unstructured
	for _, o := range objs {
		if o.GroupVersionKind().Group == "apps" {
			pods = append(pods, o)
		}
	}
	return pods
}
