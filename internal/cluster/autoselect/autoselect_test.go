package autoselect_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
)

// provider has some clusters and makes none.
type provider struct {
	cluster.Provider
	name string
	has  []cluster.Summary
	err  error
}

func (p *provider) Name() string                                    { return p.name }
func (p *provider) List(context.Context) ([]cluster.Summary, error) { return p.has, p.err }

// machine is what a test says of a machine: which clusters it has, and why no new one can be made.
type machine struct {
	kind, embedded, existing cluster.State
	noKind, noEmbedded       *autoselect.UnreadyError
	kindErr                  error
}

var (
	noEngine     = &autoselect.UnreadyError{Why: "no engine answers", Cause: errors.New("no docker"), Remedy: "--cluster kind needs one"}
	noImage      = &autoselect.UnreadyError{Why: "there is no node image", Remedy: "--cluster kind builds it", Slow: true}
	noNamespaces = &autoselect.UnreadyError{Why: "namespaces are not allowed", Remedy: "sudo"}
)

func (m machine) options() autoselect.Options {
	lists := func(name string, state cluster.State) *provider {
		p := &provider{name: name, has: []cluster.Summary{{Name: "another", State: cluster.Running}}}
		if state != "" {
			p.has = append(p.has, cluster.Summary{Name: "lab", State: state, Problem: "so it is"})
		}
		return p
	}
	ready := func(why string, unready *autoselect.UnreadyError) func(context.Context, cluster.Spec, cluster.Progress) (string, error) {
		return func(context.Context, cluster.Spec, cluster.Progress) (string, error) {
			if unready != nil {
				return "", unready
			}
			return why, nil
		}
	}
	kind := lists("kind", m.kind)
	kind.err = m.kindErr
	return autoselect.Options{
		{Provider: kind, What: "a kind cluster", Ready: ready("an engine answers", m.noKind)},
		{Provider: lists("embedded", m.embedded), What: "an embedded cluster", Ready: ready("", m.noEmbedded), Instead: "--cluster embedded needs none"},
		{Provider: lists("existing", m.existing), What: "an existing cluster"},
	}
}

func TestChoose(t *testing.T) {
	for name, c := range map[string]struct {
		on         machine
		want, line string
	}{
		"everything there is":   {machine{}, "kind", "using a kind cluster: an engine answers; --cluster embedded needs none"},
		"no engine":             {machine{noKind: noEngine}, "embedded", "using an embedded cluster: no engine answers; --cluster kind needs one"},
		"no node image":         {machine{noKind: noImage}, "embedded", "using an embedded cluster: there is no node image; --cluster kind builds it"},
		"only the slow one":     {machine{noKind: noImage, noEmbedded: noNamespaces}, "kind", "using a kind cluster: no other can be made here"},
		"an embedded one is up": {machine{embedded: cluster.Running}, "embedded", ""},
		"a given one is known":  {machine{existing: cluster.Running}, "existing", ""},
		"a stopped one":         {machine{embedded: cluster.Stopped}, "embedded", ""},
		"two, both running": {machine{kind: cluster.Running, embedded: cluster.Running}, "kind",
			`there are 2 clusters "lab": using the one made with kind; --cluster embedded means the other`},
		"two, one running": {machine{kind: cluster.Stopped, embedded: cluster.Running}, "embedded",
			`there are 2 clusters "lab": using the one made with embedded; --cluster kind means the other`},
		"out of reach": {machine{kind: cluster.Unreachable, noKind: noEngine}, "embedded",
			`using an embedded cluster: no engine answers; --cluster kind needs one; there is a cluster "lab" made with kind, too, and it cannot be reached: so it is`},
		"out of reach, no other": {machine{kind: cluster.Unreachable, noKind: noEngine, noEmbedded: noNamespaces}, "kind", ""},
		"one provider is at sea": {machine{embedded: cluster.Running, kindErr: errors.New("docker is confused")}, "embedded", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, line, err := c.on.options().Choose(t.Context(), cluster.Spec{Name: "lab"}, cluster.Quiet{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Name() != c.want || line != c.line {
				t.Errorf("%s: %q\nwant %s: %q", p.Name(), line, c.want, c.line)
			}
		})
	}
}

// Who can have no cluster at all is told of every way to one.
func TestNoneNamesEveryWay(t *testing.T) {
	_, _, err := machine{noKind: noEngine, noEmbedded: noNamespaces}.options().Choose(t.Context(), cluster.Spec{Name: "lab"}, cluster.Quiet{})
	var none *autoselect.NoneError
	want := "no cluster can be made on this machine: kind: no engine answers (no docker); --cluster kind needs one; embedded: namespaces are not allowed; sudo"
	if !errors.As(err, &none) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A failure that says nothing about a provider's readiness ends the choice: it must not quietly lead to another cluster.
func TestAFailureIsNoChoice(t *testing.T) {
	options := machine{}.options()
	options[0].Ready = func(context.Context, cluster.Spec, cluster.Progress) (string, error) { return "", context.Canceled }
	if _, _, err := options.Choose(t.Context(), cluster.Spec{Name: "lab"}, cluster.Quiet{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFindReportsWhatKeptItFromLooking(t *testing.T) {
	on := machine{kindErr: errors.New("docker is confused")}
	if _, err := on.options().Find(t.Context(), "lab"); err == nil || !strings.Contains(err.Error(), "docker is confused") {
		t.Errorf("got %v", err)
	}
	on.embedded = cluster.Running
	found, err := on.options().Find(t.Context(), "lab")
	if err != nil || len(found) != 1 || found[0].Provider.Name() != "embedded" {
		t.Errorf("got %v, %v", found, err)
	}
}
