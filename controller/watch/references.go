package watch

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// references watches only the Secrets and ConfigMaps that the table refers to, each by its name, as
// a kubelet does for its pods. So the controller's memory contains no Secrets that the table does
// not need.
//
// RBAC cannot express this restriction, because a role cannot contain names that are not known yet.
// So the controller's role can list and watch all Secrets (manifests/base/clusterrole.yaml).
type references struct {
	secrets    follower[*corev1.Secret]
	configMaps follower[*corev1.ConfigMap]
}

func newReferences(client kubernetes.Interface, raise func(), onError func(resource string, err error)) *references {
	core := client.CoreV1()
	r := &references{}
	r.secrets = follower[*corev1.Secret]{
		resource: "secrets", kind: &corev1.Secret{}, client: client, trim: trimSecret, raise: raise, onError: onError,
		list: func(ctx context.Context, namespace string, o metav1.ListOptions) (runtime.Object, error) {
			return core.Secrets(namespace).List(ctx, o)
		},
		watch: func(ctx context.Context, namespace string, o metav1.ListOptions) (watch.Interface, error) {
			return core.Secrets(namespace).Watch(ctx, o)
		},
	}
	r.configMaps = follower[*corev1.ConfigMap]{
		resource: "configmaps", kind: &corev1.ConfigMap{}, client: client, trim: trimConfigMap, raise: raise, onError: onError,
		list: func(ctx context.Context, namespace string, o metav1.ListOptions) (runtime.Object, error) {
			return core.ConfigMaps(namespace).List(ctx, o)
		},
		watch: func(ctx context.Context, namespace string, o metav1.ListOptions) (watch.Interface, error) {
			return core.ConfigMaps(namespace).Watch(ctx, o)
		},
	}
	return r
}

// trimSecret and trimConfigMap keep the fields that routing reads. The annotation of kubectl apply
// alone would double their size.
func trimSecret(s *corev1.Secret) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: identity(s), Type: s.Type, Data: s.Data}
}

func trimConfigMap(c *corev1.ConfigMap) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: identity(c), Data: c.Data}
}

func identity(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}
}

// Want watches these Secrets and ConfigMaps until ctx ends, and stops watching all others. New ones
// count as Loading in Snapshots until they are listed.
func (w *Watcher) Want(ctx context.Context, r routing.References) {
	w.references.secrets.want(ctx, r.Secrets)
	w.references.configMaps.want(ctx, r.ConfigMaps)
}

// Unknown returns the references that are not watched.
func (w *Watcher) Unknown(r routing.References) routing.References {
	return routing.References{
		Secrets:    w.references.secrets.unknown(r.Secrets),
		ConfigMaps: w.references.configMaps.unknown(r.ConfigMaps),
	}
}

// Loading reports whether some references are not listed yet.
func (w *Watcher) Loading() bool {
	_, secrets := w.references.secrets.snapshot()
	_, configMaps := w.references.configMaps.snapshot()
	return len(secrets)+len(configMaps) > 0
}
