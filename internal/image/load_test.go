package image

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// fakeNode remembers what is loaded into it.
type fakeNode struct {
	images   map[string]string
	imported []string
	fail     error
}

func (n *fakeNode) Name() string                                      { return "node" }
func (n *fakeNode) Images(context.Context) (map[string]string, error) { return n.images, nil }

func (n *fakeNode) Import(_ context.Context, archive io.Reader) error {
	if n.fail != nil {
		return n.fail // without reading what is sent
	}
	data, err := io.ReadAll(archive)
	if err != nil {
		return err
	}
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(data))), nil
	})
	for _, d := range manifest {
		n.imported = append(n.imported, d.RepoTags...)
	}
	return err
}

// holding is a node that holds all images of a set.
func holding(set *Set) *fakeNode {
	n := &fakeNode{images: map[string]string{}}
	for _, i := range set.Images {
		for _, ref := range i.Refs {
			n.images[ref] = i.ID
		}
	}
	return n
}

func TestLoadSendsOnlyWhatANodeLacks(t *testing.T) {
	set := testSet(t, "v1")
	upToDate, behind, empty := holding(set), holding(set), &fakeNode{}
	behind.images["cheese:stilton"] = "sha256:of-an-older-build"
	err := Load(t.Context(), []cluster.ImageNode{upToDate, behind, empty}, set.Images, cluster.Quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if len(upToDate.imported) != 0 {
		t.Errorf("a node that holds everything was sent %q", upToDate.imported)
	}
	if got := strings.Join(behind.imported, " "); got != "cheese:stilton" {
		t.Errorf("a node that lacks one image was sent %q", got)
	}
	if len(empty.imported) != len(set.Images)+1 { // the controller has two tags
		t.Errorf("a node that holds nothing was sent %q", empty.imported)
	}
}

func TestLoadNamesTheNodesComplaint(t *testing.T) {
	set := testSet(t, strings.Repeat("long ", 1<<16))
	full := &fakeNode{fail: errors.New("no space left")}
	err := Load(t.Context(), []cluster.ImageNode{full}, set.Images, cluster.Quiet{})
	if err == nil || err.Error() != "no space left" {
		t.Errorf("got %v", err)
	}
}

// An archive that cannot be written is the reason, whatever the node makes of
// the half that it got.
func TestLoadNamesTheReasonOnThisSide(t *testing.T) {
	set := testSet(t, "v1")
	set.Images[0].Refs = []string{"NOT A REFERENCE"}
	err := Load(t.Context(), []cluster.ImageNode{&fakeNode{}}, set.Images[:1], cluster.Quiet{})
	if err == nil || !strings.Contains(err.Error(), "image NOT A REFERENCE") {
		t.Errorf("got %v", err)
	}
}
