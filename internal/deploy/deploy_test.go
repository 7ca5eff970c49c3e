package deploy

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// The tests use the manifests of this checkout.
const checkout, variant = "../..", "manifests/kind"

func TestRenderSetsImage(t *testing.T) {
	objs, err := Render(checkout, variant, image.Controller+":0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	if first := kube.Describe(objs[0]); first != "namespace ingresslab-system" {
		t.Errorf("first object %s, want the namespace of the others", first)
	}
	images := 0
	for _, o := range objs {
		if o.GetLabels()[versionLabel] != image.Version {
			t.Errorf("%s: labels %v", kube.Describe(o), o.GetLabels())
		}
		text, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"image":"`+image.Controller) {
			images++
			if !strings.Contains(string(text), `"image":"`+image.Controller+`:0123456789ab"`) {
				t.Errorf("%s: wrong image", kube.Describe(o))
			}
		}
	}
	if images != 1 || len(workloads(objs)) != 1 {
		t.Errorf("%d objects run the controller, %d have pods; want 1 and 1", images, len(workloads(objs)))
	}
}

func TestRenderErrors(t *testing.T) {
	if _, err := Render(checkout, variant, image.Controller); err == nil || !strings.Contains(err.Error(), "has no tag") {
		t.Errorf("no tag: %v", err)
	}
	if _, err := Render(t.TempDir(), variant, "x:1"); err == nil || !strings.Contains(err.Error(), "render manifests/kind") {
		t.Errorf("no manifests: %v", err)
	}
}

func TestAwaitIngressAcceptsAnyStatus(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusFound, http.StatusBadGateway} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/") // must not be followed
			w.WriteHeader(status)
		}))
		address := srv.Listener.Addr().String()
		if err := awaitIngress(t.Context(), cluster.Addresses{HTTP: address, Status: address}, cluster.Quiet{}); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		srv.Close()
	}
}

func TestAwaitAnswerErrorNamesAddress(t *testing.T) {
	srv := httptest.NewServer(nil)
	address := srv.Listener.Addr().String()
	srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*answerPoll)
	defer cancel()
	err := awaitAnswer(ctx, address)
	if err == nil || !strings.Contains(err.Error(), "http://"+address+"/ does not answer") {
		t.Errorf("got %v", err)
	}
}

// fakeProvider returns a cluster without an API server.
type fakeProvider struct {
	cluster.Provider
	created bool
	downs   []string
}

func (p *fakeProvider) Up(_ context.Context, spec cluster.Spec, _ cluster.Progress) (*cluster.Cluster, error) {
	return &cluster.Cluster{Name: spec.Name, Created: p.created}, nil
}

func (p *fakeProvider) Keep(context.Context, string) error { return nil }

func (p *fakeProvider) Down(ctx context.Context, name string, _ cluster.Progress) error {
	p.downs = append(p.downs, name)
	return ctx.Err()
}

func TestFailedUpRemovesOnlyNewCluster(t *testing.T) {
	for name, c := range map[string]struct {
		created, keep bool
		downs         int
	}{
		"new cluster":       {true, false, 1},
		"new cluster, kept": {true, true, 0},
		"existing cluster":  {false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeProvider{created: c.created}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // skips the build of the images
			l := Lab{Provider: p, Root: t.TempDir(), CacheDir: filepath.Join(t.TempDir(), "cache"), Progress: cluster.Quiet{}}
			_, err := l.Up(ctx, cluster.Spec{Name: "lab", KeepOnFailure: c.keep})
			if !errors.Is(err, context.Canceled) || len(p.downs) != c.downs {
				t.Errorf("got %v and removed %v; want context.Canceled and %d removals", err, p.downs, c.downs)
			}
		})
	}
}

// noDNS is a provider whose new cluster never has a DNS.
type noDNS struct {
	cluster.Provider
	waited []string
}

func (p *noDNS) Info() cluster.Info { return cluster.Info{Manifests: variant} }

func (p *noDNS) ImageNodes(context.Context, string) ([]cluster.ImageNode, error) { return nil, nil }

func (p *noDNS) WaitDNS(ctx context.Context, name string, _ cluster.Progress) error {
	p.waited = append(p.waited, name)
	<-ctx.Done()
	return context.Cause(ctx)
}

// The checkout has no manifests. That error also ends the wait for the DNS.
func TestInstallWaitsForNewClusterOnly(t *testing.T) {
	t.Parallel()
	for created, waits := range map[bool]int{true: 1, false: 0} {
		p := &noDNS{}
		l := Lab{Provider: p, Root: t.TempDir(), Progress: cluster.Quiet{}}
		err := l.deploy(t.Context(), &cluster.Cluster{Name: "lab", Created: created}, &image.Set{Controller: "ingress-controller:1.0.0"})
		if !errors.Is(err, fs.ErrNotExist) || len(p.waited) != waits {
			t.Errorf("created %t: got %v and %d waits, want %d", created, err, len(p.waited), waits)
		}
	}
}
