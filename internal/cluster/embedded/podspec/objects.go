package podspec

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// objectAge is how long ConfigMaps and Secrets stay in the cache, roughly the time in which the
// pods of a rollout start. A node can get single ConfigMaps and Secrets, but cannot list them
// (https://kubernetes.io/docs/reference/access-authn-authz/node/).
const objectAge = 2 * time.Second

type objectKey struct{ kind, namespace, name string }

type cachedObject struct {
	object metav1.Object
	read   time.Time
	reader types.UID
}

// expiring is a cache whose entries expire. The zero value is ready to use.
type expiring[K comparable, V any] struct {
	mutex  sync.Mutex
	values map[K]expiringValue[V]
}

type expiringValue[V any] struct {
	value V
	until time.Time
}

func (c *expiring[K, V]) get(key K) (value V, ok bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known, ok := c.values[key]
	return known.value, ok && time.Now().Before(known.until)
}

func (c *expiring[K, V]) set(key K, value V, until time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.values == nil {
		c.values = map[K]expiringValue[V]{}
	}
	now := time.Now()
	maps.DeleteFunc(c.values, func(_ K, known expiringValue[V]) bool { return now.After(known.until) })
	c.values[key] = expiringValue[V]{value, until}
}

type missingError struct{ kind, name string }

func (e *missingError) Error() string { return fmt.Sprintf("%s %q not found", e.kind, e.name) }

// unlessOptional converts a *missingError: to nil if optional is true, or else to a *ConfigError.
func unlessOptional(err error, optional *bool) error {
	missing, ok := err.(*missingError) //nolint:errorlint // read does not wrap it
	switch {
	case !ok:
		return err
	case ptr.Deref(optional, false):
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

// read returns an object of the pod's namespace, or a *missingError. It ignores an object that was
// cached before this pod was created, because the object might have changed before the pod.
// Creation times are in whole seconds.
func read[T metav1.Object](n *Node, pod *corev1.Pod, key objectKey, get func() (T, error)) (T, error) {
	var none T
	known, ok := n.objects.get(key)
	if ok && (known.reader == pod.UID || !known.read.Before(pod.CreationTimestamp.Add(time.Second))) {
		if object, ok := known.object.(T); ok {
			return object, nil
		}
	}
	began := time.Now()
	object, err := get()
	if apierrors.IsNotFound(err) {
		return none, &missingError{key.kind, key.name}
	}
	if err != nil {
		return none, err
	}
	n.objects.set(key, cachedObject{object, began, pod.UID}, began.Add(objectAge))
	return object, nil
}

// maxTokenAge is the age at which a token is renewed, even if it is valid for longer.
const maxTokenAge = 24 * time.Hour

type tokenKey struct {
	pod      types.UID
	audience string
	seconds  int64
}

type token struct {
	text           string
	renew, expires time.Time // renew is at 80% of the lifetime
}

// token returns a service account token that is bound to the pod. If the renewal fails, token
// returns the old one until it expires.
func (n *Node) token(ctx context.Context, pod *corev1.Pod, projection *corev1.ServiceAccountTokenProjection) (string, error) {
	key := tokenKey{pod: pod.UID, audience: projection.Audience, seconds: ptr.Deref(projection.ExpirationSeconds, 0)}
	known, valid := n.tokens.get(key)
	if valid && time.Now().Before(known.renew) {
		return known.text, nil
	}
	asked := time.Now()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: projection.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	if projection.Audience != "" {
		request.Spec.Audiences = []string{projection.Audience}
	}
	answer, err := n.Client.CoreV1().ServiceAccounts(pod.Namespace).
		CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		if valid {
			return known.text, nil
		}
		return "", fmt.Errorf("failed to fetch token: %w", err)
	}
	fresh := token{text: answer.Status.Token, expires: answer.Status.ExpirationTimestamp.Time}
	fresh.renew = asked.Add(min(fresh.expires.Sub(asked)*8/10, maxTokenAge))
	n.tokens.set(key, fresh, fresh.expires)
	return fresh.text, nil
}
