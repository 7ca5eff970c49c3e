package kubelet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// Event reasons. Users and tools match on them.
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

// recordEvents opens k.events and returns the function that closes it.
func (k *Kubelet) recordEvents(ctx context.Context) (stop func()) {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.config.Client.CoreV1().Events("")})
	k.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: k.config.Name})
	return broadcaster.Shutdown
}

// nodeEvent records an Event of the node. Like a kubelet, it puts the node's name into the UID,
// which kubectl describe expects.
func (k *Kubelet) nodeEvent(reason, message string) {
	ref := &corev1.ObjectReference{Kind: "Node", Name: k.config.Name, UID: types.UID(k.config.Name)}
	k.events.Event(ref, corev1.EventTypeNormal, reason, message)
}

// podEvent records an Event of a pod, or of one of its containers if s is not nil.
func (k *Kubelet) podEvent(pod *corev1.Pod, s *slot, kind, reason, format string, arguments ...any) {
	ref := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}
	if s != nil {
		ref.FieldPath = s.fieldPath()
	}
	k.events.Eventf(ref, kind, reason, format, arguments...)
}
