package autoselect_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
)

// provider is a fake with the results of its methods.
type provider struct {
	cluster.Provider
	name     string
	info     cluster.Info
	clusters []cluster.Summary
	listErr  error
	ready    string
	readyErr error
}

func (p *provider) Name() string                                    { return p.name }
func (p *provider) Info() cluster.Info                              { return p.info }
func (p *provider) List(context.Context) ([]cluster.Summary, error) { return p.clusters, p.listErr }

func (p *provider) Ready(context.Context, cluster.Spec, cluster.Progress) (string, error) {
	return p.ready, p.readyErr
}

// machine has the clusters of a machine, and the reasons why a provider can't create one.
type machine struct {
	kind, embedded, existing cluster.State
	noKind, noEmbedded       error
	kindErr                  error
}

var (
	noEngine     = &cluster.UnreadyError{Why: "no engine answers", Cause: errors.New("no docker"), Fix: "--cluster kind needs one"}
	noImage      = &cluster.UnreadyError{Why: "no node image", Fix: "--cluster kind builds it", Slow: true}
	noNamespaces = &cluster.UnreadyError{Why: "namespaces are not allowed", Fix: "sudo"}
)

func (m machine) providers() autoselect.Providers {
	fake := func(name string, state cluster.State) *provider {
		p := &provider{name: name, clusters: []cluster.Summary{{Name: "another", State: cluster.Running}}}
		if state != "" {
			p.clusters = append(p.clusters, cluster.Summary{Name: "lab", State: state, Problem: "connection refused"})
		}
		return p
	}
	kind, embedded, existing := fake("kind", m.kind), fake("embedded", m.embedded), fake("existing", m.existing)
	kind.info.Noun, kind.listErr, kind.ready, kind.readyErr = "a kind cluster", m.kindErr, "an engine answers", m.noKind
	embedded.info.Noun, embedded.info.Instead, embedded.readyErr = "an embedded cluster", "--cluster embedded needs none", m.noEmbedded
	existing.info.Missing = cluster.Missing{cluster.Creation: "ingresslab does not create it"}
	return autoselect.Providers{kind, embedded, existing}
}

func TestSelect(t *testing.T) {
	for name, c := range map[string]struct {
		on         machine
		want, line string
	}{
		"both ready":    {machine{}, "kind", "using a kind cluster: an engine answers; --cluster embedded needs none"},
		"no engine":     {machine{noKind: noEngine}, "embedded", "using an embedded cluster: no engine answers; --cluster kind needs one"},
		"no node image": {machine{noKind: noImage}, "embedded", "using an embedded cluster: no node image; --cluster kind builds it"},
		"only slow": {machine{noKind: noImage, noEmbedded: noNamespaces}, "kind",
			"using a kind cluster: no other provider works on this machine"},
		"embedded running": {machine{embedded: cluster.Running}, "embedded", ""},
		"existing known":   {machine{existing: cluster.Running}, "existing", ""},
		"embedded stopped": {machine{embedded: cluster.Stopped}, "embedded", ""},
		"two running": {machine{kind: cluster.Running, embedded: cluster.Running}, "kind",
			`2 clusters are named "lab": using the kind cluster; pass --cluster embedded for the other`},
		"one of two running": {machine{kind: cluster.Stopped, embedded: cluster.Running}, "embedded",
			`2 clusters are named "lab": using the embedded cluster; pass --cluster kind for the other`},
		"unreachable": {machine{kind: cluster.Unreachable, noKind: noEngine}, "embedded",
			`using an embedded cluster: no engine answers; --cluster kind needs one; ` +
				`the kind cluster "lab" also exists, but is not reachable: connection refused`},
		"unreachable, no other": {machine{kind: cluster.Unreachable, noKind: noEngine, noEmbedded: noNamespaces}, "kind", ""},
		"error of one provider": {machine{embedded: cluster.Running, kindErr: errors.New("docker failed")}, "embedded", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, line, err := c.on.providers().Select(t.Context(), cluster.Spec{Name: "lab"}, cluster.Quiet{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Name() != c.want || line != c.line {
				t.Errorf("%s: %q\nwant %s: %q", p.Name(), line, c.want, c.line)
			}
		})
	}
}

func TestNoneErrorNamesEveryProvider(t *testing.T) {
	providers := machine{noKind: noEngine, noEmbedded: noNamespaces}.providers()
	_, _, err := providers.Select(t.Context(), cluster.Spec{Name: "lab"}, cluster.Quiet{})
	var none *autoselect.NoneError
	want := "cannot create a cluster on this machine: kind: no engine answers (no docker); " +
		"--cluster kind needs one; embedded: namespaces are not allowed; sudo"
	if !errors.As(err, &none) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// An error other than UnreadyError must not silently select another provider.
func TestSelectStopsAtOtherErrors(t *testing.T) {
	providers := machine{noKind: context.Canceled}.providers()
	if _, _, err := providers.Select(t.Context(), cluster.Spec{Name: "lab"}, cluster.Quiet{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFindReportsListErrors(t *testing.T) {
	on := machine{kindErr: errors.New("docker failed")}
	if _, err := on.providers().Find(t.Context(), "lab"); err == nil || !strings.Contains(err.Error(), "docker failed") {
		t.Errorf("got %v", err)
	}
	on.embedded = cluster.Running
	found, err := on.providers().Find(t.Context(), "lab")
	if err != nil || len(found) != 1 || found[0].Provider.Name() != "embedded" {
		t.Errorf("got %v, %v", found, err)
	}
}
