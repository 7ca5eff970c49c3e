package virtual

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// slim drops the fields of a pod that this package does not use, because the cache has many pods.
func slim(object any) (any, error) {
	pod, is := object.(*corev1.Pod)
	if !is {
		return object, nil
	}
	small := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP},
	}
	if podReady(pod) {
		small.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		return small, nil
	}
	for _, c := range pod.Spec.InitContainers {
		small.Spec.InitContainers = append(small.Spec.InitContainers,
			corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy})
	}
	for _, c := range pod.Spec.Containers {
		small.Spec.Containers = append(small.Spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	return small, nil
}

func podReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// pod makes a pod on a virtual node Ready. If the pod is being deleted, it removes the pod.
func (k *kubelet) pod(ctx context.Context, id item) error {
	object, exists, err := k.pods.GetByKey(id.namespace + "/" + id.name)
	if err != nil || !exists {
		return err
	}
	pod := object.(*corev1.Pod)
	if _, err := k.nodes.Get(pod.Spec.NodeName); err != nil {
		return nil //nolint:nilerr // not a virtual node
	}
	switch {
	case pod.DeletionTimestamp != nil:
		return k.remove(ctx, pod)
	case pod.Status.Phase == corev1.PodSucceeded, pod.Status.Phase == corev1.PodFailed:
		return nil
	case podReady(pod):
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
			k.addresses.restore(pod.UID, address)
		}
		return nil
	}
	return k.ready(ctx, pod)
}

// remove removes a pod from the API, as a kubelet does after its last container has stopped.
func (k *kubelet) remove(ctx context.Context, pod *corev1.Pod) error {
	err := k.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64), Preconditions: &metav1.Preconditions{UID: &pod.UID},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("pod %s/%s: delete: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// ready sets the pod's address and reports it as running and Ready, in one request.
func (k *kubelet) ready(ctx context.Context, pod *corev1.Pod) error {
	address, err := k.addresses.allocate(pod.UID)
	if err != nil {
		return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID}, // the API server rejects the patch if a newer pod has this name
		"status":   podStatus(pod, address, metav1.Now()),
	})
	if err == nil {
		pods := k.Client.CoreV1().Pods(pod.Namespace)
		_, err = pods.Patch(ctx, pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("pod %s/%s: status: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// podStatus returns the status of a pod whose containers all run.
func podStatus(pod *corev1.Pod, address netip.Addr, now metav1.Time) corev1.PodStatus {
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		HostIP: network.Hub.String(), HostIPs: []corev1.HostIP{{IP: network.Hub.String()}},
		PodIP: address.String(), PodIPs: []corev1.PodIP{{IP: address.String()}},
	}
	for _, kind := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodScheduled,
	} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	for _, c := range pod.Spec.InitContainers {
		state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now}}
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			state = running // a sidecar container keeps running
		}
		status.InitContainerStatuses = append(status.InitContainerStatuses, containerStatus(c, state))
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, containerStatus(c, running))
	}
	return status
}

func containerStatus(c corev1.Container, state corev1.ContainerState) corev1.ContainerStatus {
	started := state.Running != nil
	return corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: state, Ready: true, Started: &started}
}

// addresses allocates pod addresses. It reuses released addresses last, because connections to the
// previous pod might still be open.
type addresses struct {
	pool netip.Prefix

	mu    sync.Mutex
	next  netip.Addr
	byUID map[types.UID]netip.Addr
	used  map[netip.Addr]types.UID
}

func newAddresses(pool netip.Prefix) *addresses {
	return &addresses{
		pool: pool, next: pool.Masked().Addr().Next(), // skip the first, the network address
		byUID: map[types.UID]netip.Addr{}, used: map[netip.Addr]types.UID{},
	}
}

// allocate returns the address of a pod. It fails if all addresses are in use.
func (a *addresses) allocate(pod types.UID) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, has := a.byUID[pod]; has {
		return address, nil
	}
	first := a.next
	for {
		address := a.next
		if a.next = address.Next(); !a.pool.Contains(a.next.Next()) { // skip the last, the broadcast address
			a.next = a.pool.Masked().Addr().Next()
		}
		if _, used := a.used[address]; !used {
			a.byUID[pod], a.used[address] = address, pod
			return address, nil
		}
		if a.next == first {
			return netip.Addr{}, fmt.Errorf("all addresses of %s are in use", a.pool)
		}
	}
}

// restore records the address that a pod had before a restart, unless another pod has it now.
func (a *addresses) restore(pod types.UID, address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, has := a.byUID[pod]
	_, used := a.used[address]
	if has || used || !a.pool.Contains(address) {
		return
	}
	a.byUID[pod], a.used[address] = address, pod
}

// release frees the address of a deleted pod.
func (a *addresses) release(pod types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, a.byUID[pod])
	delete(a.byUID, pod)
}

func (a *addresses) inUse(address netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, used := a.used[address.Unmap()]
	return used
}

// idleTimeout is longer than any proxy's, so that the server never closes an idle connection first.
const idleTimeout = 10 * time.Minute

// serve answers requests for all pods until ctx ends.
func (k *kubelet) serve(ctx context.Context, l net.Listener) {
	server := &http.Server{
		Handler: http.HandlerFunc(k.answer), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // resets open connections, like a machine that stops
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		k.Log("virtual nodes: server: %v", err)
	}
}

// answer returns the requested address. It resets the connection if no pod has that address.
func (k *kubelet) answer(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	reached, err := netip.ParseAddrPort(fmt.Sprint(local))
	if err != nil || !k.addresses.inUse(reached.Addr()) {
		reset(w)
		return
	}
	w.Header().Set(HeaderAddress, reached.Addr().Unmap().String())
	_, _ = fmt.Fprintf(w, "a virtual pod at %s\n", reached.Addr().Unmap()) // the client disconnected
}

// reset resets the connection, as the kernel does if no process has the port.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
