package kubelet

import (
	"context"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// watchPods gives every pod that is bound to this node a worker, until ctx ends.
func (k *Kubelet) watchPods(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(k.config.Client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		// A node may see no other pods (https://kubernetes.io/docs/reference/access-authn-authz/node/).
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", k.config.Name).String()
	}))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { k.take(ctx, object) },
		UpdateFunc: func(before, after any) {
			// A pod that was deleted and made again under the same name can look like one that has changed.
			if b, a := asPod(before), asPod(after); b != nil && a != nil && b.UID != a.UID {
				k.drop(b)
			}
			k.take(ctx, after)
		},
		DeleteFunc: func(object any) { k.drop(object) },
	})
	if err != nil {
		k.config.Log("node %s: watch its pods: %v", k.config.Name, err)
		return
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	factory.Shutdown()
}

func asPod(object any) *corev1.Pod {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	pod, _ := object.(*corev1.Pod)
	return pod
}

func (k *Kubelet) take(ctx context.Context, object any) {
	pod := asPod(object)
	if pod == nil || pod.Spec.NodeName != k.config.Name {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.workers[pod.UID]; ok {
		w.update(pod)
		return
	}
	w := k.newWorker(ctx, pod)
	k.workers[pod.UID] = w
	k.ended.Go(func() {
		w.run()
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.workers, pod.UID)
	})
}

func (k *Kubelet) drop(object any) {
	pod := asPod(object)
	if pod == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.workers[pod.UID]; ok {
		w.remove()
	}
}

// maxPodDirName keeps the name of a pod's directory below NAME_MAX, the 255 bytes that Linux allows: the name of a namespace
// has at most 63 (RFC 1123), a UID has 36, and that of a pod may have 253.
const maxPodDirName = 150

// podDir is the directory of a pod. Its name says which pod it is, as in a kubelet's /var/log/pods: whoever collects the logs of
// a cluster would not know a UID.
func (k *Kubelet) podDir(pod *corev1.Pod) string {
	name := pod.Name[:min(len(pod.Name), maxPodDirName)]
	return filepath.Join(k.config.Dir, "pods", pod.Namespace+"_"+name+"_"+string(pod.UID))
}
