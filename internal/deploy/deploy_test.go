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

// The manifests under test are those of this checkout.
const checkout = "../.."

func TestRenderPutsTheImageIntoTheManifests(t *testing.T) {
	objs, err := Render(checkout, variant, image.Controller+":0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	if first := kube.Describe(objs[0]); first != "namespace ingresslab-system" {
		t.Errorf("first is %s, which the others need a namespace for", first)
	}
	images := 0
	for _, o := range objs {
		if o.GetLabels()[versionLabel] != image.Version {
			t.Errorf("%s has the labels %v", kube.Describe(o), o.GetLabels())
		}
		text, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"image":"`+image.Controller) {
			images++
			if !strings.Contains(string(text), `"image":"`+image.Controller+`:0123456789ab"`) {
				t.Errorf("%s runs another image", kube.Describe(o))
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

func TestAnyAnswerOfTheIngressWillDo(t *testing.T) {
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

func TestNoAnswerNamesTheAddress(t *testing.T) {
	srv := httptest.NewServer(nil)
	address := srv.Listener.Addr().String()
	srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*reachPoll)
	defer cancel()
	err := awaitAnswer(ctx, address)
	if err == nil || !strings.Contains(err.Error(), "http://"+address+"/ does not answer") {
		t.Errorf("got %v", err)
	}
}

// fakeProvider hands out a cluster that nothing can be installed into.
type fakeProvider struct {
	cluster.Provider
	created bool
	downs   []string
}

func (p *fakeProvider) Up(_ context.Context, spec cluster.Spec, _ cluster.Progress) (*cluster.Cluster, error) {
	return &cluster.Cluster{Name: spec.Name, Created: p.created}, nil
}

func (p *fakeProvider) Down(ctx context.Context, name string, _ cluster.Progress) error {
	p.downs = append(p.downs, name)
	return ctx.Err()
}

func TestAFailedUpRemovesOnlyWhatItCreated(t *testing.T) {
	for name, c := range map[string]struct {
		created, keep bool
		downs         int
	}{
		"a new cluster goes":      {true, false, 1},
		"unless it is to be kept": {true, true, 0},
		"one that existed stays":  {false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeProvider{created: c.created}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // so that the images are not built
			l := Lab{Provider: p, Root: t.TempDir(), CacheDir: filepath.Join(t.TempDir(), "cache"), Progress: cluster.Quiet{}}
			_, err := l.Up(ctx, cluster.Spec{Name: "lab", KeepOnFailure: c.keep})
			if !errors.Is(err, context.Canceled) || len(p.downs) != c.downs {
				t.Errorf("got %v and removed %v; want context.Canceled and %d removals", err, p.downs, c.downs)
			}
		})
	}
}

// settling is a provider whose new cluster never has all that pods expect.
type settling struct {
	cluster.Provider
	settled []string
}

func (p *settling) Settle(ctx context.Context, name string, _ cluster.Progress) error {
	p.settled = append(p.settled, name)
	<-ctx.Done()
	return context.Cause(ctx)
}

// TestANewClusterSettlesWhileItIsFurnished furnishes one from a checkout without manifests: that ends the waiting, too, and is what
// is said.
func TestANewClusterSettlesWhileItIsFurnished(t *testing.T) {
	t.Parallel()
	for created, settled := range map[bool]int{true: 1, false: 0} {
		p := &settling{}
		l := Lab{Provider: p, Root: t.TempDir(), Progress: cluster.Quiet{}}
		err := l.furnish(t.Context(), &cluster.Cluster{Name: "lab", Created: created}, &image.Set{Controller: "ingress-controller:1.0.0"})
		if !errors.Is(err, fs.ErrNotExist) || len(p.settled) != settled {
			t.Errorf("created %t: got %v, and %d waited for the cluster, want %d", created, err, len(p.settled), settled)
		}
	}
}
