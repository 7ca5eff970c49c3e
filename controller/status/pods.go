package status

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// podSource publishes the addresses of the nodes that run a ready controller pod.
type podSource struct {
	memory
	o       Options
	factory informers.SharedInformerFactory
	pods    corelisters.PodLister
	synced  cache.InformerSynced
}

// start watches the pods with the labels of our own pod. Outside a cluster, there is no such pod,
// and nothing is published.
func (s *podSource) start(ctx context.Context, changed func()) error {
	if s.o.PodName == "" {
		return nil
	}
	selector, err := replicas(ctx, s.o)
	if err != nil {
		return err
	}
	s.factory = informers.NewSharedInformerFactoryWithOptions(s.o.Client, 0,
		informers.WithNamespace(s.o.PodNamespace),
		informers.WithTweakListOptions(func(list *metav1.ListOptions) { list.LabelSelector = selector.String() }))
	pods := s.factory.Core().V1().Pods()
	s.pods = pods.Lister()
	s.synced = pods.Informer().HasSynced
	if err := follow(pods.Informer(), changed); err != nil {
		return fmt.Errorf("pods of the controller: %w", err)
	}
	s.factory.StartWithContext(ctx)
	return nil
}

func (s *podSource) stop() {
	if s.factory != nil {
		s.factory.Shutdown()
	}
}

// addresses reads the node of each controller pod from the API server. There are few, and their
// number does not depend on the size of the cluster.
func (s *podSource) addresses(ctx context.Context) ([]address, error) {
	if s.pods == nil {
		return nil, nil
	}
	if !cache.WaitForCacheSync(ctx.Done(), s.synced) {
		return nil, fmt.Errorf("pods of the controller: %w", context.Cause(ctx))
	}
	pods, err := s.pods.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("pods of the controller: %w", err)
	}
	var found []address
	for _, pod := range pods {
		if !serving(pod) {
			continue
		}
		node, err := s.o.Client.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, fromCache)
		if apierrors.IsNotFound(err) {
			continue // the pod will be deleted, too
		}
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", pod.Spec.NodeName, err)
		}
		found = append(found, nodeAddresses(node)...)
	}
	return s.keep(found), nil
}

// fromCache lets the API server respond from its cache. Cached data is good enough: a node's
// addresses rarely change, and the controller reads them again after every Ingress change.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
var fromCache = metav1.GetOptions{ResourceVersion: "0"}

// serving reports whether a pod receives traffic and is not terminating.
func serving(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Spec.NodeName == "" {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// nodeAddresses returns the external addresses of a node, or its internal addresses if it has no
// external ones, as ingress-nginx does. It keeps both families of a dual-stack node.
func nodeAddresses(node *corev1.Node) []address {
	for _, kind := range []corev1.NodeAddressType{corev1.NodeExternalIP, corev1.NodeInternalIP} {
		var found []string
		for _, one := range node.Status.Addresses {
			if one.Type == kind {
				found = append(found, one.Address)
			}
		}
		if len(found) > 0 {
			return parse(found)
		}
	}
	return nil
}

// replicas selects the pods of our Deployment or DaemonSet by the labels of our own pod, except the
// labels that differ between revisions.
func replicas(ctx context.Context, o Options) (labels.Selector, error) {
	pod, err := o.Client.CoreV1().Pods(o.PodNamespace).Get(ctx, o.PodName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("own pod %s/%s (POD_NAMESPACE, POD_NAME): %w", o.PodNamespace, o.PodName, err)
	}
	own := labels.Set{}
	for key, value := range pod.Labels {
		switch key {
		case "pod-template-hash", "controller-revision-hash", "pod-template-generation":
		default:
			own[key] = value
		}
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("own pod %s/%s has no labels to find other replicas; add labels to the pod template",
			o.PodNamespace, o.PodName)
	}
	return own.AsSelector(), nil
}

// otherReplicas reports whether another controller pod is serving or starting.
func (r *Reporter) otherReplicas(ctx context.Context) (bool, error) {
	if r.o.PodName == "" {
		return false, nil
	}
	selector, err := replicas(ctx, r.o)
	if err != nil {
		return false, err
	}
	pods, err := r.o.Client.CoreV1().Pods(r.o.PodNamespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return false, fmt.Errorf("pods of the controller: %w", err)
	}
	for _, pod := range pods.Items {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Name != r.o.PodName && pod.DeletionTimestamp == nil && !ended {
			return true, nil
		}
	}
	return false, nil
}

// follow calls changed after every change in an informer.
func follow(informer cache.SharedIndexInformer, changed func()) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	})
	return err
}
