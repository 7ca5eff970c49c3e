package kubelet

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// NoContainerError reports that a pod or container does not exist or does not run.
type NoContainerError struct{ Message string }

func (e *NoContainerError) Error() string { return e.Message }

func noContainer(format string, arguments ...any) error {
	return &NoContainerError{fmt.Sprintf(format, arguments...)}
}

// view is the published state of a pod. It is immutable.
type view struct {
	namespace  network.Namespace // nil before the network exists
	containers []containerView
}

type containerView struct {
	name          string
	running       container.Container // nil unless it runs
	waiting       string              // the reason, if it has never run
	lost          string              // ID of a container whose log an earlier run of the node had
	log, previous string              // paths; empty if there is no log
}

func (w *worker) publish() {
	v := &view{namespace: w.setup.namespace}
	for _, s := range w.slots {
		c := containerView{name: s.spec.Name, running: s.running, log: s.log}
		switch {
		case s.running == nil && s.ended != nil && s.waiting != nil:
			// While a container waits for its restart, its latest run is also its previous run.
			c.previous = s.log
		case s.last != nil:
			c.previous = s.previousLog
		}
		switch {
		case s.running != nil || s.log != "":
		case s.done && s.ended != nil:
			c.lost = s.ended.ContainerID
		default:
			c.waiting = w.waitingState(s).Reason
		}
		v.containers = append(v.containers, c)
	}
	w.view.Store(v)
}

// find returns the state of a container. An empty name selects the pod's first container.
func (k *Kubelet) find(namespace, pod, name string) (containerView, error) {
	v := k.pod(namespace, pod)
	if v == nil {
		return containerView{}, noContainer("pod %q not found", pod)
	}
	for _, c := range v.containers {
		if c.name == name || name == "" {
			return c, nil
		}
	}
	return containerView{}, noContainer("container %q in pod %q is not available", name, pod)
}

// pod returns the view of a pod. If two pods have the name, it returns the newer one.
func (k *Kubelet) pod(namespace, name string) *view {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found *worker
	for _, w := range k.workers {
		// The name and namespace of a worker never change, so no lock is needed.
		if w.name == name && w.namespace == namespace && w.view.Load() != nil && (found == nil || found.began.Before(w.began)) {
			found = w
		}
	}
	if found == nil {
		return nil
	}
	return found.view.Load()
}

// Container returns a running container for exec and attach. The error is a *NoContainerError.
func (k *Kubelet) Container(namespace, pod, name string) (container.Container, error) {
	c, err := k.find(namespace, pod, name)
	if err != nil {
		return nil, err
	}
	if c.running == nil {
		return nil, noContainer("container not found (%q)", c.name)
	}
	return c.running, nil
}

// Log returns the path of a container's log, or of its previous run's log, and a channel that
// closes when the log is complete. Its *NoContainerError has a kubelet's text.
func (k *Kubelet) Log(namespace, pod, name string, previous bool) (path string, ended <-chan struct{}, err error) {
	c, err := k.find(namespace, pod, name)
	if err != nil {
		return "", nil, err
	}
	closed := make(chan struct{})
	close(closed)
	switch {
	case previous && c.previous == "":
		return "", nil, noContainer("previous terminated container %q in pod %q not found", c.name, pod)
	case previous:
		return c.previous, closed, nil
	case c.running != nil:
		return c.log, c.running.Done(), nil
	case c.log != "":
		return c.log, closed, nil
	case c.lost != "":
		return "", nil, noContainer("unable to retrieve container logs for %s", c.lost)
	}
	reason := c.waiting
	switch reason {
	case waitErrPull:
		reason = "image can't be pulled"
	case waitPullBackOff:
		reason = "trying and failing to pull image"
	}
	return "", nil, noContainer("container %q in pod %q is waiting to start: %s", c.name, pod, reason)
}

// Dial connects to a port inside a pod, for kubectl port-forward. If the pod does not exist, the
// error is a *NoContainerError.
func (k *Kubelet) Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error) {
	v := k.pod(namespace, pod)
	if v == nil || v.namespace == nil {
		return nil, noContainer("pod %q not found", pod)
	}
	return v.namespace.Dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
}
