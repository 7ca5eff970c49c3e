package image

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func TestPushReturnsReferencesToPull(t *testing.T) {
	srv := httptest.NewServer(registry.New())
	defer srv.Close()
	at := strings.TrimPrefix(srv.URL, "http://") + "/class/lab"
	set := testSet(t, "v1")
	refs, err := Push(t.Context(), at, set.Images, cluster.Quiet{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range set.Images {
		for _, r := range i.Refs {
			if !strings.HasPrefix(refs[r], at+"/") {
				t.Fatalf("%s: reference %q, want one in %s", r, refs[r], at)
			}
			ref, err := name.ParseReference(refs[r])
			if err != nil {
				t.Fatal(err)
			}
			got, err := remote.Image(ref)
			if err != nil {
				t.Fatalf("%s: %v", r, err)
			}
			if id, err := got.ConfigName(); err != nil || id.String() != i.ID {
				t.Errorf("%s: ID in the registry %s, %v; want %s", r, id, err, i.ID)
			}
		}
	}
	// With the same tag, nodes would keep the old image.
	other, err := Push(t.Context(), at, testSet(t, "v2").Images, cluster.Quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if c := set.Images[0].Refs[0]; other[c] == refs[c] || other["cheese:cheddar"] != refs["cheese:cheddar"] {
		t.Errorf("new controller: reference %s as before; cheese:cheddar: %s", other[c], other["cheese:cheddar"])
	}
}

func TestPushErrorNamesRegistry(t *testing.T) {
	for _, at := range []string{"NOT A REGISTRY", "127.0.0.1:1/lab"} {
		_, err := Push(t.Context(), at, testSet(t, "v1").Images[:1], cluster.Quiet{})
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("%s: got %v", at, err)
		}
	}
}
