package kubelet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// Reasons of Events. They are an interface: people and tools look for them.
const (
	reasonCreated          = "Created"
	reasonStarted          = "Started"
	reasonFailed           = "Failed"
	reasonKilling          = "Killing"
	reasonBackOff          = "BackOff"
	reasonPulling          = "Pulling"
	reasonPulled           = "Pulled"
	reasonInspectFailed    = "InspectFailed"
	reasonNeverPull        = "ErrImageNeverPull"
	reasonUnhealthy        = "Unhealthy"
	reasonProbeWarning     = "ProbeWarning"
	reasonFailedMount      = "FailedMount"
	reasonFailedSandbox    = "FailedCreatePodSandBox"
	reasonSandboxChanged   = "SandboxChanged"
	reasonPostStartFailed  = "FailedPostStartHook"
	reasonPreStopFailed    = "FailedPreStopHook"
	reasonDeadlineExceeded = "DeadlineExceeded"
	reasonStarting         = "Starting"
	reasonNodeReady        = "NodeReady"
)

// recordEvents opens k.events; the function that it returns closes it.
func (k *Kubelet) recordEvents(ctx context.Context) (stop func()) {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.config.Client.CoreV1().Events("")})
	k.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: k.config.Name})
	return broadcaster.Shutdown
}

// nodeEvent tells about the node. Kubelets put the node's name where the UID belongs, and kubectl describe looks for that.
func (k *Kubelet) nodeEvent(reason, message string) {
	ref := &corev1.ObjectReference{Kind: "Node", Name: k.config.Name, UID: types.UID(k.config.Name)}
	k.events.Event(ref, corev1.EventTypeNormal, reason, message)
}

// podEvent tells about a pod, or about one of its containers if there is one.
func (k *Kubelet) podEvent(pod *corev1.Pod, s *slot, kind, reason, format string, arguments ...any) {
	ref := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}
	if s != nil {
		ref.FieldPath = s.fieldPath()
	}
	k.events.Eventf(ref, kind, reason, format, arguments...)
}
