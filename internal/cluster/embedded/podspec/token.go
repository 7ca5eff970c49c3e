package podspec

import (
	"context"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxTokenAge is when a token is replaced even if it is good for much longer
// (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#launch-a-pod-using-service-account-token-projection).
const maxTokenAge = 24 * time.Hour

type tokenKey struct {
	pod      types.UID
	audience string
	seconds  int64
}

type token struct {
	text string
	// renew is when to ask for the next one: at 80 % of its life.
	renew, expires time.Time
}

// tokenCache is usable as it is.
type tokenCache struct {
	mutex  sync.Mutex
	tokens map[tokenKey]token
}

func (c *tokenCache) find(key tokenKey) (token, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known, ok := c.tokens[key]
	return known, ok && time.Now().Before(known.expires)
}

func (c *tokenCache) keep(key tokenKey, t token) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.tokens == nil {
		c.tokens = map[tokenKey]token{}
	}
	now := time.Now()
	for other, known := range c.tokens {
		if now.After(known.expires) {
			delete(c.tokens, other)
		}
	}
	c.tokens[key] = t
}

// token returns a token of the pod's service account that is bound to the pod: it ends with the pod. A token that cannot be
// renewed is used until it expires.
func (n *Node) token(ctx context.Context, pod *corev1.Pod, projection *corev1.ServiceAccountTokenProjection) (string, error) {
	key := tokenKey{pod: pod.UID, audience: projection.Audience}
	if projection.ExpirationSeconds != nil {
		key.seconds = *projection.ExpirationSeconds
	}
	known, valid := n.tokens.find(key)
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
	n.tokens.keep(key, fresh)
	return fresh.text, nil
}
