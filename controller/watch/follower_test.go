package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/onsi/gomega"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
)

// api serves Secrets with field selectors. Lists wait until answers is closed.
type api struct {
	mu      sync.Mutex
	secrets map[string]*corev1.Secret // by name
	watches map[string]*watch.RaceFreeFakeWatcher
	answers chan struct{} // closed: lists return
	refuses error
}

func (a *api) name(o metav1.ListOptions) string {
	name, _ := strings.CutPrefix(o.FieldSelector, "metadata.name=")
	return name
}

func (a *api) list(ctx context.Context, _ string, o metav1.ListOptions) (runtime.Object, error) {
	select {
	case <-a.answers:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	list := &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	if s := a.secrets[a.name(o)]; s != nil {
		list.Items = append(list.Items, *s)
	}
	return list, a.refuses
}

func (a *api) watch(_ context.Context, _ string, o metav1.ListOptions) (watch.Interface, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := watch.NewRaceFreeFake()
	a.watches[a.name(o)] = w
	return w, nil
}

// watched returns the open watch of a name, or nil.
func (a *api) watched(name string) *watch.RaceFreeFakeWatcher {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.watches[name]; w != nil && !w.IsStopped() {
		return w
	}
	return nil
}

// open returns the number of watches.
func (a *api) open() (number int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.watches {
		if !w.IsStopped() {
			number++
		}
	}
	return number
}

func newAPI(secrets ...*corev1.Secret) *api {
	a := &api{secrets: map[string]*corev1.Secret{}, watches: map[string]*watch.RaceFreeFakeWatcher{}, answers: make(chan struct{})}
	for _, s := range secrets {
		a.secrets[s.Name] = s
	}
	return a
}

func secret(name, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{"copy": value}},
		Data:       map[string][]byte{"auth": []byte(value)},
	}
}

// followSecrets starts a follower of the API until the test ends.
func followSecrets(t *testing.T, a *api, onError func(string, error)) (*follower[*corev1.Secret], context.Context, chan struct{}) {
	raised := make(chan struct{}, 10_000)
	f := &follower[*corev1.Secret]{
		resource: "secrets", kind: &corev1.Secret{}, client: fake.NewClientset(), list: a.list, watch: a.watch,
		trim: trimSecret, raise: func() { raised <- struct{}{} }, onError: onError,
	}
	ctx, stop := context.WithCancel(t.Context())
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		stop()
		f.running.Wait()
		goleak.VerifyNone(t, before)
	})
	return f, ctx, raised
}

func names(names ...string) []types.NamespacedName {
	var all []types.NamespacedName
	for _, name := range names {
		all = append(all, types.NamespacedName{Namespace: "shop", Name: name})
	}
	return all
}

// seen returns the content of a snapshot: "a=1", "b loading".
func seen(f *follower[*corev1.Secret]) func() []string {
	return func() []string {
		all := []string{}
		there, loading := f.snapshot()
		for _, s := range there {
			all = append(all, s.Name+"="+string(s.Data["auth"])+s.Annotations["copy"])
		}
		for _, name := range loading {
			all = append(all, name.Name+" loading")
		}
		return all
	}
}

func TestFollowerWatchesOnlyWantedObjects(t *testing.T) {
	g := gomega.NewWithT(t)
	a := newAPI(secret("a", "1"), secret("other", "1"))
	f, ctx, raised := followSecrets(t, a, nil)
	f.want(ctx, names("a", "missing"))
	g.Expect(seen(f)()).To(gomega.ConsistOf("a loading", "missing loading"))
	close(a.answers)
	g.Eventually(seen(f)).Should(gomega.ConsistOf("a=1"), "want no annotations, and no loading object")
	g.Eventually(a.open).Should(gomega.Equal(2))
	for range 2 {
		<-raised
	}
	a.watched("missing").Add(secret("missing", "2"))
	<-raised
	a.watched("a").Modify(secret("a", "2"))
	<-raised
	g.Expect(seen(f)()).To(gomega.ConsistOf("a=2", "missing=2"))
	a.watched("a").Add(secret("other", "of a server that does not select"))
	a.watched("a").Delete(secret("other", ""))
	a.watched("a").Delete(secret("a", "2"))
	<-raised
	g.Expect(seen(f)()).To(gomega.ConsistOf("missing=2"))

	f.want(ctx, names("missing"))
	g.Eventually(a.open).Should(gomega.Equal(1))
	f.want(ctx, nil)
	g.Eventually(a.open).Should(gomega.BeZero())
	g.Expect(seen(f)()).To(gomega.BeEmpty())
}

func TestFollowerWatchesThousandObjects(t *testing.T) {
	g := gomega.NewWithT(t)
	a := newAPI()
	var wanted []types.NamespacedName
	for i := range 1000 {
		s := secret(fmt.Sprint("s", i), "x")
		a.secrets[s.Name] = s
		wanted = append(wanted, names(s.Name)...)
	}
	f, ctx, _ := followSecrets(t, a, nil)
	f.want(ctx, wanted)
	close(a.answers)
	g.Eventually(func() (int, int) {
		there, loading := f.snapshot()
		return len(there), len(loading)
	}, "20s").Should(gomega.Equal(1000), "none must be loading")
}

func TestFollowerReportsForbiddenList(t *testing.T) {
	g := gomega.NewWithT(t)
	a := newAPI()
	a.refuses = errors.New("secrets is forbidden")
	close(a.answers)
	told := make(chan string, 100)
	f, ctx, _ := followSecrets(t, a, func(resource string, err error) { told <- resource + ": " + err.Error() })
	f.want(ctx, names("a"))
	g.Expect(<-told).To(gomega.Equal("secrets: shop/a: secrets is forbidden"))
	g.Expect(seen(f)()).To(gomega.ConsistOf("a loading"), "the list has failed")
}
