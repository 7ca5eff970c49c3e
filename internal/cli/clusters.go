package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"text/tabwriter"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
)

// listedCluster is one line of `ingresslab status --all`.
type listedCluster struct {
	Name     string    `json:"name"`
	Provider string    `json:"provider"`
	State    string    `json:"state"`
	Nodes    int       `json:"nodes"`
	Created  time.Time `json:"created,omitzero"`
	Problem  string    `json:"problem,omitempty"`
}

// listClusters prints every cluster of every provider. What one of them cannot tell is noted, and the rest is printed.
func (a *app) listClusters(ctx context.Context, output string) error {
	options, err := a.options()
	if err != nil {
		return err
	}
	found, err := options.All(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		a.display.Note(oneLine(err.Error()))
	}
	list := []listedCluster{}
	for _, f := range found {
		list = append(list, listed(f))
	}
	if output == outputJSON {
		enc := json.NewEncoder(a.std.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	w := tabwriter.NewWriter(a.std.Out, 0, 0, 2, ' ', 0)
	printf(w, "NAME\tMADE WITH\tSTATE\tNODES\tPROBLEM\n")
	for _, c := range list {
		printf(w, "%s\t%s\t%s\t%d\t%s\n", c.Name, c.Provider, c.State, c.Nodes, cmp.Or(c.Problem, "-"))
	}
	return w.Flush()
}

func listed(f autoselect.Found) listedCluster {
	return listedCluster{
		Name: f.Name, Provider: f.Provider.Name(), State: string(f.State),
		Nodes: len(f.Nodes), Created: f.Created, Problem: f.Problem,
	}
}
