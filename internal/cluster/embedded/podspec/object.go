package podspec

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The rights of a node extend to the objects that its pods refer to, one by one: it can get them, and watch each alone, but
// not list them (https://kubernetes.io/docs/reference/access-authn-authz/node/). They are read when needed, and kept for as
// long as the pods of one rollout take to start.
const objectAge = 2 * time.Second

type objectKey struct{ kind, namespace, name string }

type cachedObject struct {
	object metav1.Object
	read   time.Time
	reader types.UID
}

// objectCache is usable as it is.
type objectCache struct {
	mutex   sync.Mutex
	objects map[objectKey]cachedObject
}

// find returns what was read a moment ago. A pod that was created after that has a right to see what was changed before it
// was created; its time is in whole seconds.
func (c *objectCache) find(key objectKey, pod *corev1.Pod) metav1.Object {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known, ok := c.objects[key]
	if !ok || time.Since(known.read) > objectAge {
		return nil
	}
	if known.reader != pod.UID && known.read.Before(pod.CreationTimestamp.Add(time.Second)) {
		return nil
	}
	return known.object
}

func (c *objectCache) keep(key objectKey, object metav1.Object, read time.Time, reader types.UID) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.objects == nil {
		c.objects = map[objectKey]cachedObject{}
	}
	for other, known := range c.objects {
		if read.Sub(known.read) > objectAge {
			delete(c.objects, other)
		}
	}
	c.objects[key] = cachedObject{object, read, reader}
}

// missingError says that an object is not there, in the words of a kubelet.
type missingError struct{ kind, name string }

func (e *missingError) Error() string { return fmt.Sprintf("%s %q not found", e.kind, e.name) }

// unlessOptional returns nil if err says that an object is missing which need not be there, and a *ConfigError if it must.
func unlessOptional(err error, optional *bool) error {
	missing, ok := err.(*missingError) //nolint:errorlint // read returns it as it is
	switch {
	case !ok:
		return err
	case isTrue(optional):
		return nil
	}
	return &ConfigError{missing.Error()}
}

func (n *Node) configMap(ctx context.Context, pod *corev1.Pod, name string) (*corev1.ConfigMap, error) {
	return read(n, pod, objectKey{"configmap", pod.Namespace, name}, func() (*corev1.ConfigMap, error) {
		return n.Client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	})
}

func (n *Node) secret(ctx context.Context, pod *corev1.Pod, name string) (*corev1.Secret, error) {
	return read(n, pod, objectKey{"secret", pod.Namespace, name}, func() (*corev1.Secret, error) {
		return n.Client.CoreV1().Secrets(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	})
}

// read returns an object of the pod's namespace; a *missingError if there is none.
func read[T metav1.Object](n *Node, pod *corev1.Pod, key objectKey, get func() (T, error)) (T, error) {
	var none T
	if known, ok := n.objects.find(key, pod).(T); ok {
		return known, nil
	}
	began := time.Now()
	object, err := get()
	if apierrors.IsNotFound(err) {
		return none, &missingError{key.kind, key.name}
	}
	if err != nil {
		return none, err
	}
	n.objects.keep(key, object, began, pod.UID)
	return object, nil
}
