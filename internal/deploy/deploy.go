// Package deploy prepares a cluster for labs and scenarios: it brings up the cluster, loads the
// images, installs the controller, and waits until the ingress responds.
//
// Read Lab.Up first. It uses the manifests that users apply by hand (manifests/), but with a
// different tag of the controller's image. The tag changes only with the image, so a new build
// causes a rollout, and an unchanged build does not.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
)

const (
	// removeTimeout limits the time to remove a cluster after a failure or Ctrl-C.
	removeTimeout = 2 * time.Minute
	// rolloutTimeout limits the rollout. Pods with host ports are replaced one by one.
	rolloutTimeout = 3 * time.Minute
	// answerTimeout limits the time from ready pods to the first response, which is usually short.
	answerTimeout = 30 * time.Second
	// answerPoll is the time between requests. attemptTimeout limits each request.
	answerPoll     = 100 * time.Millisecond
	attemptTimeout = 3 * time.Second
)

// Lab deploys the lab into a cluster.
type Lab struct {
	Provider cluster.Provider // creates or finds the cluster
	Root     string           // the checkout with the sources and the manifests
	CacheDir string           // image.Options.CacheDir
	Progress cluster.Progress // reports each step
}

// Up creates the cluster, loads current images, installs the controller, and waits for a response.
// It is idempotent, and takes only seconds if nothing has changed. After a failure, it removes the
// cluster if this call created it, unless spec keeps it.
func (l Lab) Up(ctx context.Context, spec cluster.Spec) (*cluster.Cluster, error) {
	c, set, err := l.prepare(ctx, spec)
	if err == nil {
		err = l.deploy(ctx, c, set)
	}
	switch {
	case err == nil:
		return c, l.Provider.Keep(ctx, c.Name)
	case c == nil:
		return nil, err
	case !c.Created:
		return nil, errors.Join(err, l.Provider.Keep(ctx, c.Name))
	case spec.KeepOnFailure:
		l.Progress.Note(fmt.Sprintf("kept cluster %q for debugging; `ingresslab export-logs` and `ingresslab down` work on it", c.Name))
		return nil, errors.Join(err, l.Provider.Keep(ctx, c.Name))
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	return nil, errors.Join(err, l.Provider.Down(down, c.Name, l.Progress))
}

// prepare brings up the cluster while it builds the images. It returns the cluster on image errors.
func (l Lab) prepare(ctx context.Context, spec cluster.Spec) (*cluster.Cluster, *image.Set, error) {
	var c *cluster.Cluster
	var set *image.Set
	g, gctx := errgroup.WithContext(ctx)
	// Stop the build without a cause, so that the error of Up is the one to report.
	building, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() (err error) {
		if c, err = l.Provider.Up(gctx, spec, l.Progress); err != nil {
			stop()
		}
		return err
	})
	g.Go(func() (err error) {
		set, err = image.Build(building, image.Options{Root: l.Root, CacheDir: l.CacheDir}, l.Progress)
		return err
	})
	err := g.Wait()
	return c, set, err
}

// deploy loads the images and installs the controller while a new cluster completes its DNS.
func (l Lab) deploy(ctx context.Context, c *cluster.Cluster, set *image.Set) error {
	g, gctx := errgroup.WithContext(ctx)
	if c.Created {
		g.Go(func() error { return l.Provider.WaitDNS(gctx, c.Name, l.Progress) })
	}
	g.Go(func() error { return l.loadAndInstall(gctx, c, set) })
	if err := g.Wait(); err != nil {
		return err
	}
	// The ports must stay open until ctx ends. The context of the group ends earlier.
	if err := l.Provider.OpenPorts(ctx, c, l.Progress); err != nil {
		return err
	}
	return awaitIngress(ctx, c.Addresses, l.Progress)
}

// loadAndInstall changes the cluster only after CheckInstall has allowed it.
func (l Lab) loadAndInstall(ctx context.Context, c *cluster.Cluster, set *image.Set) error {
	nodes, err := l.Provider.ImageNodes(ctx, c.Name)
	if err != nil {
		return err
	}
	if err := image.Load(ctx, nodes, set.Images, l.Progress); err != nil {
		return err
	}
	manifests := l.Provider.Info().Manifests
	objects, err := Render(l.Root, manifests, set.Controller)
	if err != nil {
		return err
	}
	if err := l.Provider.CheckInstall(ctx, c, objects); err != nil {
		return err
	}
	if c.Registry != "" {
		if c.Overrides.Images, err = image.Push(ctx, c.Registry, set.Images, l.Progress); err != nil {
			return err
		}
		if objects, err = Render(l.Root, manifests, c.Overrides.Images[set.Controller]); err != nil {
			return err
		}
	}
	client, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	return install(ctx, client, objects, l.Progress)
}

// install applies the objects that differ. Then it waits until all controller pods are ready.
func install(ctx context.Context, client *kube.Client, objects []*unstructured.Unstructured, progress cluster.Progress) (err error) {
	done := progress.Step("Installing the controller")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, rolloutTimeout)
	defer cancel()
	for _, o := range objects {
		if o.GetKind() != "Namespace" {
			continue
		}
		if err := client.OutlastNamespace(ctx, o.GetName()); err != nil {
			return fmt.Errorf("controller: %w", err)
		}
	}
	if err := client.Apply(ctx, objects...); err != nil {
		return err
	}
	if err := client.WaitReady(ctx, workloads(objects)...); err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	return nil
}

// workloads returns the objects that run pods. All other objects are ready when they are applied.
func workloads(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var pods []*unstructured.Unstructured
	for _, o := range objects {
		if o.GroupVersionKind().Group == "apps" {
			pods = append(pods, o)
		}
	}
	return pods
}

// awaitIngress waits until the ingress and the status page respond at their addresses on this
// machine. It accepts any status, because the rules decide about it. Without rules, it is 404.
func awaitIngress(ctx context.Context, at cluster.Addresses, progress cluster.Progress) (err error) {
	done := progress.Step("Waiting for the ingress to answer at " + at.HTTP)
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for _, address := range []string{at.HTTP, at.Status} {
		if err := awaitAnswer(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

func awaitAnswer(ctx context.Context, address string) error {
	// Do not use a proxy from the environment, or a connection to a previous pod.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		err := attempt(ctx, client, address)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(answerPoll):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("the controller's pods are ready, but http://%s/ does not answer: %w", address, err)
		}
	}
}

func attempt(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return errors.Join(err, resp.Body.Close())
}

// versionLabel is Kubernetes' recommended label for a version
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const versionLabel = "app.kubernetes.io/version"

// Render returns a kustomization's objects in apply order. It replaces the controller's image.
func Render(root, manifests, controllerImage string) ([]*unstructured.Unstructured, error) {
	colon := strings.LastIndexByte(controllerImage, ':') // the first colon can be before a registry's port
	name, tag := controllerImage[:max(colon, 0)], controllerImage[colon+1:]
	if name == "" || tag == "" || strings.Contains(tag, "/") {
		return nil, fmt.Errorf("controller image %q has no tag", controllerImage)
	}
	dir := filepath.Join(root, filepath.FromSlash(manifests))
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", manifests, err)
	}
	retag := imagetag.LegacyFilter{ImageTag: types.Image{Name: image.Controller, NewName: name, NewTag: tag}}
	if err := resources.ApplyFilter(retag); err != nil {
		return nil, fmt.Errorf("render %s: %w", manifests, err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", manifests, err)
	}
	objs, err := kube.Decode(manifests, text)
	if err != nil {
		return nil, err
	}
	for _, o := range objs {
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[versionLabel] = image.Version
		o.SetLabels(labels)
	}
	return objs, nil
}
