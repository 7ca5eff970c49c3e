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

func (p *provider) ImageNodes(_ context.Context, name string) ([]cluster.ImageNode, error) {
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

// imageNode implements cluster.ImageNode.
type imageNode struct{ node nodes.Node }

func (n imageNode) Name() string { return n.node.String() }

func (n imageNode) Images(ctx context.Context) (map[string]string, error) {
	out, err := exec.Output(n.node.CommandContext(ctx, "crictl", "images", "--output", "json"))
	var images map[string]string
	if err == nil {
		images, err = parseImages(out)
	}
	if err != nil {
		return nil, fmt.Errorf("images of node %s: %w", n.Name(), lastLine(ctx, err))
	}
	return images, nil
}

// parseImages reads the output of crictl, without the registry and "library/", which crictl adds.
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

func (n imageNode) Import(ctx context.Context, archive io.Reader) error {
	if err := nodeutils.LoadImageArchive(boundNode{n.node, ctx}, archive); err != nil {
		return fmt.Errorf("load images into node %s: %w", n.Name(), lastLine(ctx, err))
	}
	return nil
}

// lastLine returns the last line of a command's output as an error: containerd's tools print
// warnings first. If ctx killed the command, it returns the cause of that.
func lastLine(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if re := exec.RunErrorForError(err); re != nil {
		if output := lines(strings.TrimSpace(string(re.Output))); len(output) > 0 {
			return errors.New(strings.TrimSpace(output[len(output)-1]))
		}
	}
	return err
}

// boundNode is a node whose commands end with ctx, for functions of kind that take no context.
type boundNode struct {
	nodes.Node
	ctx context.Context
}

// Command implements nodes.Node.
func (n boundNode) Command(command string, args ...string) exec.Cmd {
	return n.CommandContext(n.ctx, command, args...)
}

// Logs returns when ctx ends, but kind continues to collect until the program exits.
func (p *provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.Existing(ctx, name); err != nil {
		return err
	}
	finished := make(chan error, 1)
	go func() { finished <- kindLibrary().CollectLogs(name, dir) }()
	select {
	case err := <-finished:
		if err != nil {
			return fmt.Errorf("logs of cluster %q: some are missing: %w", name, err)
		}
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), fmt.Errorf("logs of cluster %q: %s is incomplete", name, dir))
	}
}
