package kubelet

import (
	"context"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

const (
	// quietRetry is how long failures repeat before an Event reports them. The API server's node
	// authorizer learns shortly after the binding which Secrets and ConfigMaps the node can read.
	quietRetry = 500 * time.Millisecond
	// refreshEvery is the interval between updates of ConfigMap, Secret, and token files.
	refreshEvery = 30 * time.Second
)

// setup prepares a pod: volumes, network, and host ports.
type setup struct {
	busy, ready bool
	retry       wait.Backoff
	notBefore   time.Time

	address   netip.Addr // zero before allocation
	namespace network.Namespace
	own       bool // namespace belongs to the pod, not to the node
	ports     *hostPorts
	refresh   time.Time // next update of the volumes
}

func newSetup() setup {
	return setup{retry: retryDelays(time.Second, 8*time.Second)}
}

// release closes the pod's network and releases its address.
func (s *setup) release(k *Kubelet) {
	s.ports.close()
	if s.own && s.namespace != nil {
		_ = s.namespace.Close()
	}
	if s.own {
		k.addresses.release(s.address)
	}
	s.ports, s.namespace, s.own, s.ready = nil, nil, false, false
}

// setupFault is the Event of a failed setup.
type setupFault struct{ reason, message string }

// prepare starts the setup. step calls it until the setup is complete.
func (w *worker) prepare(now time.Time) {
	if w.setup.busy {
		return
	}
	if now.Before(w.setup.notBefore) {
		w.at(w.setup.notBefore)
		return
	}
	w.setup.busy = true
	next, pod := w.setup, w.pod
	w.k.goroutines.Go(func() {
		fault := next.complete(w.ctx, w.k, pod, w.dir)
		w.post(func() { w.prepared(next, fault) })
	})
}

func (w *worker) prepared(next setup, fault *setupFault) {
	next.busy, next.ready = false, fault == nil
	w.setup = next
	if fault == nil {
		w.setup.refresh = time.Now().Add(refreshEvery)
		return
	}
	w.event(nil, corev1.EventTypeWarning, fault.reason, "%s", fault.message)
	w.setup.notBefore = time.Now().Add(w.setup.retry.Step())
}

func (s *setup) complete(ctx context.Context, k *Kubelet, pod *corev1.Pod, dir string) *setupFault {
	sandbox := func(err error) *setupFault {
		return &setupFault{reasonFailedSandbox, "Failed to create pod sandbox: " + err.Error()}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return sandbox(err)
	}
	if err := s.takeAddress(k, pod); err != nil {
		return sandbox(err)
	}
	err := retryQuietly(ctx, func() error {
		return k.manifests.Volumes(ctx, podspec.Pod{Pod: pod, Address: s.address, Dir: dir})
	})
	if err != nil {
		return &setupFault{reasonFailedMount, err.Error()}
	}
	if s.namespace == nil {
		if s.namespace, err = k.config.AddPod(ctx, s.address); err != nil {
			s.namespace = nil
			return sandbox(err)
		}
	}
	if s.ports == nil && s.own {
		if s.ports, err = k.openHostPorts(ctx, pod, s.address); err != nil {
			return sandbox(err)
		}
	}
	return nil
}

func (s *setup) takeAddress(k *Kubelet, pod *corev1.Pod) (err error) {
	switch {
	case s.address.IsValid():
	case pod.Spec.HostNetwork:
		s.address, s.namespace = k.config.Address, k.config.Namespace
	default:
		s.address, err = k.addresses.allocate()
		s.own = err == nil
	}
	return err
}

// retryQuietly retries for 500 ms.
func retryQuietly(ctx context.Context, try func() error) error {
	deadline, r := time.Now().Add(quietRetry), retryDelays(20*time.Millisecond, 100*time.Millisecond)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) || !pause(ctx, r.Step()) {
			return err
		}
	}
}

// refreshVolumes updates the files of a running pod
// (https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically).
func (w *worker) refreshVolumes(now time.Time) {
	if now.Before(w.setup.refresh) {
		w.at(w.setup.refresh)
		return
	}
	w.setup.refresh = now.Add(refreshEvery)
	w.at(w.setup.refresh)
	if len(w.pod.Spec.Volumes) == 0 || w.setup.busy {
		return
	}
	p := podspec.Pod{Pod: w.pod, Address: w.setup.address, Dir: w.dir}
	w.setup.busy = true
	w.k.goroutines.Go(func() {
		err := w.k.manifests.Volumes(w.ctx, p)
		w.post(func() {
			w.setup.busy = false
			if err != nil {
				w.event(nil, corev1.EventTypeWarning, reasonFailedMount, "%v", err)
			}
		})
	})
}
