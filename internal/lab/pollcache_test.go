package lab_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// busy is an ingress that counts traffic and single requests.
type busy struct{ traffic, single atomic.Int64 }

func (b *busy) Do(_ context.Context, r probe.Request) probe.Observation {
	if r.URL == quizURL {
		b.traffic.Add(1)
	} else {
		b.single.Add(1)
	}
	return probe.Observation{Method: "GET", URL: r.URL, Status: http.StatusOK,
		Served: &probe.Served{Namespace: "lab-1", Pod: "cheddar-pod", App: "cheddar"}}
}

// watched runs a test with simulated time, for a lab with a traffic task and a task with one
// request.
func watched(t *testing.T, test func(t *testing.T, s *lab.Session, b *busy, api kubernetes.Interface)) {
	t.Helper()
	c, env := environment(t)
	b := &busy{}
	env.HTTP = b
	l := hostRouting(t)
	l.Tasks = l.Tasks[2:4]
	l.Tasks[0].Check = []scenario.Step{{Traffic: &scenario.Traffic{
		URL: quizURL, Requests: 50, Expect: scenario.TrafficExpect{Share: &scenario.Share{App: "cheddar", Percent: 100}},
	}}}
	l.Tasks[1].Check = asks("http://stilton.localhost/", http.StatusOK)
	synctest.Test(t, func(t *testing.T) { test(t, begun(t, l, env), b, c.Clientset()) })
}

// poll polls once and returns the number of requests for each of the two tasks.
func (b *busy) poll(t *testing.T, s *lab.Session) (traffic, single int64) {
	t.Helper()
	b.traffic.Store(0)
	b.single.Store(0)
	state, err := s.Poll(t.Context())
	if err != nil || len(state.Missing) > 0 || !state.Tasks[0].Done || !state.Tasks[1].Done || len(state.Tasks[0].Steps) != 1 {
		t.Errorf("poll: %+v, %v", state, err)
	}
	return b.traffic.Load(), b.single.Load()
}

func TestPollCachesTrafficOnly(t *testing.T) {
	t.Parallel()
	watched(t, func(t *testing.T, s *lab.Session, b *busy, _ kubernetes.Interface) {
		begin := time.Now()
		for _, l := range []struct {
			at   time.Duration
			want int64
			why  string
		}{
			{0, 50, "no result is cached"},
			{2900 * time.Millisecond, 50, "the change is recent"},
			{3 * time.Second, 50, "the latest result is too close to the change"},
			{3500 * time.Millisecond, 0, "the latest result is cached"},
			{7900 * time.Millisecond, 0, "the result of 3s is still cached"},
			{8 * time.Second, 50, "the result of 3s is expired"},
			{8500 * time.Millisecond, 0, "the result of 8s is cached"},
		} {
			<-time.After(l.at - time.Since(begin))
			if traffic, single := b.poll(t, s); traffic != l.want || single != 3 {
				t.Errorf("at %s: %d traffic requests and %d others, want %d and 3, because %s", l.at, traffic, single, l.want, l.why)
			}
		}
	})
}

func TestPollSendsTrafficAgainAfterChange(t *testing.T) {
	t.Parallel()
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	for name, change := range map[string]func(context.Context, kubernetes.Interface) error{
		"Ingress of the lab": func(ctx context.Context, c kubernetes.Interface) error {
			return c.NetworkingV1().Ingresses("lab-1").Delete(ctx, "cheddar", metav1.DeleteOptions{})
		},
		"pod of a Service": func(ctx context.Context, c kubernetes.Interface) error {
			return c.DiscoveryV1().EndpointSlices("lab-1").Delete(ctx, "cheddar-1", metav1.DeleteOptions{})
		},
		"Secret of the lab": func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Secrets("lab-1").Create(ctx, &corev1.Secret{ObjectMeta: meta("lab-1", "users")}, metav1.CreateOptions{})
			return err
		},
		"settings of the controller": func(ctx context.Context, c kubernetes.Interface) error {
			config := &corev1.ConfigMap{ObjectMeta: meta(lab.ControllerNamespace, lab.ControllerConfigMap)}
			_, err := c.CoreV1().ConfigMaps(lab.ControllerNamespace).Create(ctx, config, metav1.CreateOptions{FieldManager: kube.FieldManager})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched(t, func(t *testing.T, s *lab.Session, b *busy, api kubernetes.Interface) {
				b.poll(t, s)
				<-time.After(4 * time.Second)
				b.poll(t, s)
				if traffic, _ := b.poll(t, s); traffic != 0 {
					t.Fatalf("%d requests without a change", traffic)
				}
				if err := change(t.Context(), api); err != nil {
					t.Fatal(err)
				}
				if traffic, _ := b.poll(t, s); traffic != 50 {
					t.Errorf("%d requests after the change, want 50", traffic)
				}
			})
		})
	}
}

// The API server rejects requests for Secrets.
func TestPollCachesNothingIfListFails(t *testing.T) {
	t.Parallel()
	watched(t, func(t *testing.T, s *lab.Session, b *busy, api kubernetes.Interface) {
		api.(*fake.Clientset).PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("secrets is forbidden")
		})
		for range 4 {
			<-time.After(4 * time.Second)
			if traffic, _ := b.poll(t, s); traffic != 50 {
				t.Errorf("%d requests in a poll, want 50", traffic)
			}
		}
	})
}
