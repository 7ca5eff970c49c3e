package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

var _ cluster.ImageStore = (*Provider)(nil)

// ImageNodes implements cluster.ImageStore.
func (p *Provider) ImageNodes(_ context.Context, name string) ([]cluster.ImageNode, error) {
	list, err := kindLibrary().ListInternalNodes(name)
	if err != nil {
		return nil, fmt.Errorf("nodes of cluster %q: %w", name, err)
	}
	var found []cluster.ImageNode
	for _, n := range list {
		found = append(found, imageNode{n})
	}
	return found, nil
}

// imageNode is a node as a place for images.
type imageNode struct{ node nodes.Node }

// Name implements cluster.ImageNode.
func (n imageNode) Name() string { return n.node.String() }

// Images implements cluster.ImageNode.
func (n imageNode) Images(ctx context.Context) (map[string]string, error) {
	out, err := exec.Output(n.node.CommandContext(ctx, "crictl", "images", "--output", "json"))
	if err != nil {
		return nil, fmt.Errorf("images of node %s: %w", n.Name(), lastWord(ctx, err))
	}
	images, err := parseImages(out)
	if err != nil {
		return nil, fmt.Errorf("images of node %s: %w", n.Name(), err)
	}
	return images, nil
}

// parseImages reads what crictl prints. It names a registry in every tag, even
// where nobody did; an image that was loaded belongs to none, so the part
// before the first slash is dropped, and with it the namespace that the
// registry would have filled in for a name without one.
func parseImages(out []byte) (map[string]string, error) {
	var list struct {
		Images []struct {
			ID       string   `json:"id"`
			RepoTags []string `json:"repoTags"`
		} `json:"images"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	images := map[string]string{}
	for _, i := range list.Images {
		for _, tag := range i.RepoTags {
			_, path, found := strings.Cut(tag, "/")
			if !found {
				path = tag
			}
			images[strings.TrimPrefix(path, "library/")] = i.ID
		}
	}
	return images, nil
}

// Import implements cluster.ImageNode.
func (n imageNode) Import(ctx context.Context, archive io.Reader) error {
	if err := nodeutils.LoadImageArchive(boundNode{n.node, ctx}, archive); err != nil {
		return fmt.Errorf("load images into node %s: %w", n.Name(), lastWord(ctx, err))
	}
	return nil
}

// lastWord makes an error of the last line that a command printed; containerd's
// tools warn first and say what went wrong at the end. A command that was killed
// because ctx ended has nothing to say about that.
func lastWord(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if re := exec.RunErrorForError(err); re != nil {
		if said := lines(strings.TrimSpace(string(re.Output))); len(said) > 0 {
			return errors.New(strings.TrimSpace(said[len(said)-1]))
		}
	}
	return err
}

// boundNode is a node whose commands end with a context, for functions of kind
// that take none.
type boundNode struct {
	nodes.Node
	ctx context.Context
}

// Command implements nodes.Node.
func (n boundNode) Command(command string, args ...string) exec.Cmd {
	return n.CommandContext(n.ctx, command, args...)
}
