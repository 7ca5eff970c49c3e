// Package benchmark fills an embedded cluster with Ingresses, Services, and virtual pods. It replaces pods, and measures the
// controller's resources and the time until clients see a change.
//
// Only the processes of the pods are simulated. Kubernetes' own controllers write the EndpointSlices, `ingresslab up` installs the
// Ingress controller, and requests use its port. The benchmark reads responses, metrics, and the API only.
//
// run.go lists the steps. size.go plans and defines the objects; watch.go observes the cluster; restart.go and churn.go measure;
// report.go prints the result.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// Progress receives the progress of a benchmark. Its methods can be called from any goroutine.
type Progress interface {
	// Begin reports the start of a step. The benchmark calls detail with the progress, and done once.
	Begin(text string) (detail func(string), done func(error))
	// Note reports a line.
	Note(text string)
}

// Options configure a benchmark.
type Options struct {
	Size
	Keep     bool     // leave the objects in the cluster
	Progress Progress // receives each step
}

// bench is a running benchmark.
type bench struct {
	Options
	client  kubernetes.Interface
	browser *browser
	watcher *watcher
	pod     *corev1.Pod // of the measured controller
}

// quietTime is the duration of the measurement without changes.
const quietTime = 10 * time.Second

// Provider is the only provider with virtual nodes.
const Provider = "embedded"

// UnsupportedError reports a cluster without virtual nodes.
type UnsupportedError struct{ Name, Provider string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("cluster %q has provider %s, which has no virtual pods; use an embedded cluster: "+
		"`ingresslab dev benchmark --cluster %s --name another`", e.Name, e.Provider, Provider)
}

// Run fills the cluster, measures the controller, and deletes the objects, even after the end of ctx. It first deletes the objects
// of an earlier benchmark. An *UnsupportedError or a *LimitError means that nothing was created.
func Run(ctx context.Context, c *cluster.Cluster, o Options) (report *Report, err error) {
	if c.Provider != Provider {
		return nil, &UnsupportedError{c.Name, c.Provider}
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	kubeClient, err := kube.New(c.Config)
	if err != nil {
		return nil, err
	}
	client := kubeClient.Clientset()
	s := &bench{Options: o, client: client, browser: newBrowser(c.Addresses.HTTP)}
	defer s.browser.client.CloseIdleConnections()
	if err := s.cleanBefore(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if !o.Keep {
			err = errors.Join(err, Clean(context.WithoutCancel(ctx), client, o.Progress))
		}
	}()
	return s.run(ctx, c)
}

func (s *bench) cleanBefore(ctx context.Context) error {
	list, err := s.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	if len(list.Items) == 0 {
		return nil
	}
	s.Progress.Note(fmt.Sprintf("an earlier benchmark left %d namespaces; deleting them first", len(list.Items)))
	return Clean(ctx, s.client, s.Progress)
}

func (s *bench) run(ctx context.Context, c *cluster.Cluster) (*Report, error) {
	pods, err := controllers(ctx, s.client)
	if err != nil {
		return nil, err
	}
	s.pod = &pods[0]
	if len(pods) > 1 {
		s.Progress.Note(fmt.Sprintf("%d controllers share this machine, each under full load; use --nodes 1 to run one", len(pods)))
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if s.watcher, err = newWatcher(watching, s.client); err != nil {
		return nil, err
	}
	report := &Report{Size: s.Size, DurationSeconds: s.Duration.Seconds(), CPUs: runtime.NumCPU(), Controllers: len(pods), Cluster: c.Name}
	began := time.Now()
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	report.FillSeconds = time.Since(began).Seconds()
	if report.Sync, err = s.restart(ctx); err != nil {
		return nil, err
	}
	return report, s.measure(ctx, report)
}

// measure samples the controller without changes, and then during the churn.
func (s *bench) measure(ctx context.Context, report *Report) error {
	synced, err := read(ctx, s.client, s.podName())
	if err != nil {
		return err
	}
	report.AfterSync, report.Routes = synced.memory(), int(synced.routes)
	_, done := s.Progress.Begin(fmt.Sprintf("Measuring the idle controller for %s", quietTime))
	err = pause(ctx, quietTime)
	done(err)
	if err != nil {
		return err
	}
	rested, err := read(ctx, s.client, s.podName())
	if err != nil {
		return err
	}
	report.IdleCPU, report.AfterRest = cpuBetween(synced, rested), rested.memory()
	if s.Churn == 0 {
		return nil
	}
	if report.Propagation, err = s.churn(ctx); err != nil {
		return err
	}
	churned, err := read(ctx, s.client, s.podName())
	if err != nil {
		return err
	}
	report.ChurnCPU, report.AfterChurn = cpuBetween(rested, churned), churned.memory()
	report.Build = quantilesBetween(rested.builds, churned.builds)
	return nil
}
