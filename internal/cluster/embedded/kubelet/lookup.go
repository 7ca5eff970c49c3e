package kubelet

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// NoContainerError says that a container cannot be reached: no such pod, no such container, or it does not run.
type NoContainerError struct{ Message string }

func (e *NoContainerError) Error() string { return e.Message }

func noContainer(format string, arguments ...any) error {
	return &NoContainerError{fmt.Sprintf(format, arguments...)}
}

// view is what a worker lets others see of its pod. It is not changed any more once it is there.
type view struct {
	namespace  network.Namespace // nil while there is none
	containers []containerView
}

type containerView struct {
	name          string
	running       container.Container // nil unless it runs
	waiting       string              // the reason, if it has never run
	lost          string              // the ID of one whose log went with an earlier start of the node
	log, previous string              // paths; empty if there is none
}

// publish shows the state of the pod to those who ask from outside.
func (w *worker) publish() {
	v := &view{namespace: w.setup.namespace}
	for _, s := range w.slots {
		c := containerView{name: s.spec.Name, running: s.running, log: s.log}
		switch {
		case s.running != nil:
			if s.last != nil {
				c.previous = s.previousLog
			}
		case s.ended != nil && s.waiting != nil:
			// Between two runs the latest one is the previous one as well.
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

// find returns what is to be seen of a container; an empty name is the first one's of the pod.
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

// pod returns the view of a pod; of two with the same name, the one that is not being ended.
func (k *Kubelet) pod(namespace, name string) *view {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found *worker
	for _, w := range k.workers {
		// Name and namespace never change, so they may be read from here.
		if w.name == name && w.namespace == namespace && w.view.Load() != nil && (found == nil || found.began.Before(w.began)) {
			found = w
		}
	}
	if found == nil {
		return nil
	}
	return found.view.Load()
}

// Container returns a running container, for exec and attach. The error is a *NoContainerError.
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

// Log returns the file of a container's log (of its previous run if so wanted), and a channel that is closed when nothing
// will be added any more. The error is a *NoContainerError in the words of a kubelet: `container "x" in pod "y" is waiting to
// start: ContainerCreating`, `previous terminated container "x" in pod "y" not found`.
func (k *Kubelet) Log(namespace, pod, name string, previous bool) (path string, ended <-chan struct{}, err error) {
	c, err := k.find(namespace, pod, name)
	if err != nil {
		return "", nil, err
	}
	over := make(chan struct{})
	close(over)
	switch {
	case previous && c.previous == "":
		return "", nil, noContainer("previous terminated container %q in pod %q not found", c.name, pod)
	case previous:
		return c.previous, over, nil
	case c.running != nil:
		return c.log, c.running.Done(), nil
	case c.log != "":
		return c.log, over, nil
	case c.lost != "":
		return "", nil, noContainer("unable to retrieve container logs for %s", c.lost)
	}
	why := c.waiting
	switch why {
	case waitErrPull:
		why = "image can't be pulled"
	case waitPullBackOff:
		why = "trying and failing to pull image"
	}
	return "", nil, noContainer("container %q in pod %q is waiting to start: %s", c.name, pod, why)
}

// Dial connects to a port of a pod from inside it, as kubectl port-forward does. The error is a *NoContainerError if there is
// no such pod.
func (k *Kubelet) Dial(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error) {
	v := k.pod(namespace, pod)
	if v == nil || v.namespace == nil {
		return nil, noContainer("pod %q not found", pod)
	}
	return v.namespace.Dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
}
