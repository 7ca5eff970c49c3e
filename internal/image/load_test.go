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

// fakeNode records imported images.
type fakeNode struct {
	images   map[string]string
	imported []string
	fail     error
}

func (n *fakeNode) Name() string                                      { return "node" }
func (n *fakeNode) Images(context.Context) (map[string]string, error) { return n.images, nil }

func (n *fakeNode) Import(_ context.Context, archive io.Reader) error {
	if n.fail != nil {
		return n.fail // without reading the archive
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

// holding returns a node with all images of a set.
func holding(set *Set) *fakeNode {
	n := &fakeNode{images: map[string]string{}}
	for _, i := range set.Images {
		for _, ref := range i.Refs {
			n.images[ref] = i.ID
		}
	}
	return n
}

func TestLoadSendsOnlyMissingImages(t *testing.T) {
	set := testSet(t, "v1")
	upToDate, outdated, empty := holding(set), holding(set), &fakeNode{}
	outdated.images["cheese:stilton"] = "sha256:of-an-older-build"
	err := Load(t.Context(), []cluster.ImageNode{upToDate, outdated, empty}, set.Images, cluster.Quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if len(upToDate.imported) != 0 {
		t.Errorf("a node with all images imported %q", upToDate.imported)
	}
	if got := strings.Join(outdated.imported, " "); got != "cheese:stilton" {
		t.Errorf("a node without one image imported %q", got)
	}
	if len(empty.imported) != len(set.Images)+1 { // the controller has two tags
		t.Errorf("an empty node imported %q", empty.imported)
	}
}

func TestLoadReturnsErrorOfNode(t *testing.T) {
	set := testSet(t, strings.Repeat("long ", 1<<16))
	full := &fakeNode{fail: errors.New("no space left")}
	err := Load(t.Context(), []cluster.ImageNode{full}, set.Images, cluster.Quiet{})
	if err == nil || err.Error() != "no space left" {
		t.Errorf("got %v", err)
	}
}

// A write error is the cause, even if the node reports an incomplete archive.
func TestLoadReturnsWriteError(t *testing.T) {
	set := testSet(t, "v1")
	set.Images[0].Refs = []string{"NOT A REFERENCE"}
	err := Load(t.Context(), []cluster.ImageNode{&fakeNode{}}, set.Images[:1], cluster.Quiet{})
	if err == nil || !strings.Contains(err.Error(), "image NOT A REFERENCE") {
		t.Errorf("got %v", err)
	}
}
