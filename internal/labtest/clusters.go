package labtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/deploy"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// TemporaryName is the prefix of the names of temporary clusters.
const TemporaryName = "ingresslab-test"

// downTimeout limits the deletion of a temporary cluster.
const downTimeout = 2 * time.Minute

// Selection selects the clusters for the tests.
type Selection struct {
	Providers autoselect.Providers
	Provider  string // Provider is the only provider to use, or empty for all providers
	Name      string // Name is the name of a running cluster, or empty for temporary clusters
	Nodes     int    // Nodes is the number of nodes of a temporary cluster, or 0 for the default
	Progress  cluster.Progress
}

// Target is a cluster for the tests.
type Target struct {
	provider  cluster.Provider
	spec      cluster.Spec
	temporary bool           // temporary is true for a cluster that the tests create and delete
	absent    *ClusterReport // absent is the report if the cluster is not available; otherwise nil
}

// Targets returns the selected clusters, the preferred provider first.
func (s Selection) Targets(ctx context.Context) ([]Target, error) {
	if s.Name != "" {
		return s.running(ctx)
	}
	var targets []Target
	for _, p := range s.Providers {
		if p.Name() != kind.Name && p.Name() != embedded.Name || s.Provider != "" && s.Provider != p.Name() {
			continue
		}
		t := Target{provider: p, temporary: true, spec: cluster.Spec{
			Name: TemporaryName + "-" + p.Name(), Nodes: s.Nodes,
			HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort,
		}}
		if err := t.spec.Check(); err != nil {
			return nil, err
		}
		why, err := s.absence(ctx, t)
		if err != nil {
			return nil, err
		}
		if why != "" {
			t.absent = &ClusterReport{Provider: p.Name(), Outcome: scenario.Skipped, Reason: why, Items: []*Item{}}
			if s.Provider != "" {
				t.absent.Outcome = scenario.Broken // the user selected this provider
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// running returns the running cluster of the name.
func (s Selection) running(ctx context.Context) ([]Target, error) {
	found, err := s.Providers.Find(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if (s.Provider == "" || s.Provider == f.Provider.Name()) && f.State == cluster.Running {
			return []Target{{provider: f.Provider, spec: cluster.Spec{Name: s.Name}}}, nil
		}
	}
	return nil, fmt.Errorf("no running cluster %q; omit --name to use a new cluster", s.Name)
}

// absence returns why a provider is not available. It is empty if the provider is available.
func (s Selection) absence(ctx context.Context, t Target) (string, error) {
	if t.provider.Name() == embedded.Name && runtime.GOOS != "linux" {
		return "embedded clusters need Linux, but this machine runs " + runtime.GOOS, nil
	}
	_, err := t.provider.Ready(ctx, t.spec, s.Progress)
	var unready *cluster.UnreadyError
	if errors.As(err, &unready) {
		if unready.Slow && s.Provider != "" {
			return "", nil // the user selected this provider, and accepts that it starts slowly
		}
		return fmt.Sprintf("%v; %s", unready, FixOf(unready)), nil
	}
	return "", err
}

// FixOf returns how to make a provider available. It differs from the text of e if that suggests a
// different provider.
func FixOf(e *cluster.UnreadyError) string {
	if e.Slow {
		return "run `ingresslab build node-image` to build one in about ten minutes"
	}
	return cmp.Or(e.Fix, "see docs/embedded.md")
}

// Runner runs a plan on clusters.
type Runner struct {
	Root        string // Root is the checkout
	Parallel    int
	Retry, Keep bool
	Progress    cluster.Progress
	Pretty      *Pretty
	// LessonEnv returns the environment for the commands of lessons.
	LessonEnv func(*cluster.Cluster) (replay.Env, error)
	Reason    func(error) string // Reason formats an error for the report
}

// Run tests the plan on each target, until ctx ends.
func (r Runner) Run(ctx context.Context, targets []Target, plan Plan) *Report {
	var places []*ClusterReport
	for _, t := range targets {
		places = append(places, r.target(ctx, t, plan))
		if ctx.Err() != nil {
			break
		}
	}
	return NewReport(places...)
}

// target tests the plan in one cluster, and deletes a temporary cluster.
func (r Runner) target(ctx context.Context, t Target, plan Plan) *ClusterReport {
	if t.absent != nil {
		r.Pretty.Absent(t.absent)
		return t.absent
	}
	place := &ClusterReport{Provider: t.provider.Name(), Cluster: t.spec.Name, Started: time.Now(), Items: []*Item{}}
	env, down, err := r.env(ctx, t)
	place.UpSeconds = time.Since(place.Started).Seconds()
	defer func() {
		if err := down(); err != nil {
			r.Progress.Note(r.Reason(err))
		}
	}()
	if err != nil {
		place.Outcome, place.Reason = outcomeOf(ctx), r.Reason(err)
		r.Pretty.Absent(place)
		return place
	}
	r.Pretty.Place(place)
	env.Parallel, env.Retry, env.Progress = r.Parallel, r.Retry, r.Pretty.Item
	env.Keep, env.Existing = r.Keep, !t.temporary
	Here(ctx, plan, env, place)
	r.Pretty.Done(place)
	return place
}

// env starts the cluster. down deletes the cluster if it is temporary. It is never nil.
func (r Runner) env(ctx context.Context, t Target) (env Env, down func() error, err error) {
	down = func() error { return nil }
	up, err := deploy.Lab{Provider: t.provider, Root: r.Root, Progress: r.Progress}.Up(ctx, t.spec)
	if err != nil {
		return env, down, err
	}
	if t.temporary && !r.Keep {
		down = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
			defer cancel()
			return t.provider.Down(ctx, up.Name, r.Progress)
		}
	}
	lesson, err := r.LessonEnv(up)
	if err != nil {
		return env, down, err
	}
	env.Env = lesson.Env
	env.Lock = func(l *lab.Lab) (func(), error) { return lab.Lock(l, up.Name, "dev test") }
	env.Verify = func(ctx context.Context, l *lab.Lab) (int, []Diagnostic, error) {
		report, err := replay.Verify(ctx, l, lesson)
		if err != nil {
			return 0, nil, err
		}
		var faults []Diagnostic
		for _, f := range report.Faults {
			faults = append(faults, Diagnostic{File: f.File, Line: f.Line, Text: f.Message})
		}
		return len(report.Commands), faults, nil
	}
	return env, down, nil
}
