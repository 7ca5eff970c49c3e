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

// busy is an ingress that counts what it is asked for: by traffic, and by single requests.
type busy struct{ traffic, single atomic.Int64 }

func (b *busy) Do(_ context.Context, r probe.Request) probe.Observation {
	if r.URL == quizURL {
		b.traffic.Add(1)
	} else {
		b.single.Add(1)
	}
	return probe.Observation{Method: "GET", URL: r.URL, Status: http.StatusOK, Served: &probe.Served{Namespace: "lab-1", Pod: "cheddar-pod", App: "cheddar"}}
}

// watched is a lab with a task of many requests and a task of one, looked at in a bubble in which time passes at once.
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

// look looks once, and returns how many requests it took for each of the two tasks.
func (b *busy) look(t *testing.T, s *lab.Session) (traffic, single int64) {
	t.Helper()
	b.traffic.Store(0)
	b.single.Store(0)
	state, err := s.Poll(t.Context())
	if err != nil || len(state.Missing) > 0 || !state.Tasks[0].Done || !state.Tasks[1].Done || len(state.Tasks[0].Steps) != 1 {
		t.Errorf("the look came to %+v, %v", state, err)
	}
	return b.traffic.Load(), b.single.Load()
}

func TestTrafficIsToldAgainForAWhileAndNothingElseIs(t *testing.T) {
	t.Parallel()
	watched(t, func(t *testing.T, s *lab.Session, b *busy, _ kubernetes.Interface) {
		begin := time.Now()
		for _, l := range []struct {
			at   time.Duration
			want int64
			why  string
		}{
			{0, 50, "nothing is known yet"},
			{2900 * time.Millisecond, 50, "what is there is new: a change may come into force only now"},
			{3 * time.Second, 50, "the last look was too early to count"},
			{3500 * time.Millisecond, 0, "the last look counts"},
			{7900 * time.Millisecond, 0, "the look at 3s counts still"},
			{8 * time.Second, 50, "the look at 3s is too old"},
			{8500 * time.Millisecond, 0, "the look at 8s counts"},
		} {
			<-time.After(l.at - time.Since(begin))
			if traffic, single := b.look(t, s); traffic != l.want || single != 3 {
				t.Errorf("at %s: %d requests of traffic and %d others, want %d and 3: %s", l.at, traffic, single, l.want, l.why)
			}
		}
	})
}

// TestTrafficIsSentAgainAfterAChange changes what decides who answers, wherever it is.
func TestTrafficIsSentAgainAfterAChange(t *testing.T) {
	t.Parallel()
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	for name, change := range map[string]func(context.Context, kubernetes.Interface) error{
		"an Ingress of the lab": func(ctx context.Context, c kubernetes.Interface) error {
			return c.NetworkingV1().Ingresses("lab-1").Delete(ctx, "cheddar", metav1.DeleteOptions{})
		},
		"a pod of a Service": func(ctx context.Context, c kubernetes.Interface) error {
			return c.DiscoveryV1().EndpointSlices("lab-1").Delete(ctx, "cheddar-1", metav1.DeleteOptions{})
		},
		"a Secret of the lab": func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Secrets("lab-1").Create(ctx, &corev1.Secret{ObjectMeta: meta("lab-1", "users")}, metav1.CreateOptions{})
			return err
		},
		"the controller's settings": func(ctx context.Context, c kubernetes.Interface) error {
			config := &corev1.ConfigMap{ObjectMeta: meta(lab.ControllerNamespace, lab.ControllerConfigMap)}
			_, err := c.CoreV1().ConfigMaps(lab.ControllerNamespace).Create(ctx, config, metav1.CreateOptions{FieldManager: kube.FieldManager})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched(t, func(t *testing.T, s *lab.Session, b *busy, api kubernetes.Interface) {
				b.look(t, s)
				<-time.After(4 * time.Second)
				b.look(t, s)
				if traffic, _ := b.look(t, s); traffic != 0 {
					t.Fatalf("%d requests although nothing has changed", traffic)
				}
				if err := change(t.Context(), api); err != nil {
					t.Fatal(err)
				}
				if traffic, _ := b.look(t, s); traffic != 50 {
					t.Errorf("%d requests after the change, want 50", traffic)
				}
			})
		})
	}
}

// TestTrafficIsSentAtEachLookIfChangesCannotBeSeen has an API server that does not let us list Secrets.
func TestTrafficIsSentAtEachLookIfChangesCannotBeSeen(t *testing.T) {
	t.Parallel()
	watched(t, func(t *testing.T, s *lab.Session, b *busy, api kubernetes.Interface) {
		api.(*fake.Clientset).PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("secrets is forbidden")
		})
		for range 4 {
			<-time.After(4 * time.Second)
			if traffic, _ := b.look(t, s); traffic != 50 {
				t.Errorf("%d requests in a look, want 50", traffic)
			}
		}
	})
}
