package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/text"
)

// playFunc is Verify or Record.
type playFunc func(context.Context, *lab.Lab, replay.Env) (*replay.Report, error)

func (a *app) replayCommand(verb, short string, do playFunc) *cobra.Command {
	var flags specFlags
	var output string
	c := &cobra.Command{
		Use:     verb + " N|NAME...",
		Short:   short,
		Example: "  ingresslab dev " + verb + " 1 2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("dev %s takes the numbers or names of labs; `ingresslab list` lists them", verb)
			}
			return checkOutput(output, outputPretty, outputJSON)
		},
		RunE: func(c *cobra.Command, args []string) error { return a.playLessons(c, args, &flags, output, do) },
	}
	c.Flags().StringVarP(&output, "output", "o", outputPretty, "pretty or json")
	flags.register(c)
	a.guest.register(c)
	return c
}

func (a *app) playLessons(c *cobra.Command, args []string, flags *specFlags, output string, do playFunc) error {
	root, err := a.checkout()
	if err != nil {
		return err
	}
	var labs []*lab.Lab
	for _, argument := range args {
		dir, err := lab.Find(filepath.Join(root, labsDir), argument)
		if err != nil {
			return err
		}
		l, err := lab.Load(relative(dir))
		if err != nil {
			return err
		}
		labs = append(labs, l)
	}
	up, err := a.bringUp(c, flags)
	if err != nil {
		return err
	}
	env, err := a.lessonEnv(root, up)
	if err != nil {
		return err
	}
	if output != outputJSON {
		env.Progress = func(p replay.Played) { printf(a.std.Out, "  %s\n", playedLine(p)) }
	}
	var reports []*replay.Report
	code := ExitOK
	for _, l := range labs {
		if output != outputJSON {
			printf(a.std.Out, "lesson %d: %s\n", l.Number, l.Title)
		}
		report, err := a.playLesson(c.Context(), l, env, do)
		if err != nil {
			return fmt.Errorf("lesson %d (%s): %w", l.Number, l.Name, err)
		}
		reports = append(reports, report)
		if len(report.Faults) > 0 {
			code = ExitFailed
		}
		if output != outputJSON {
			a.printPlayed(report)
		}
	}
	if output == outputJSON {
		enc := json.NewEncoder(a.std.Out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(reports); err != nil {
			return err
		}
	}
	return &outcome{code}
}

// playLesson plays one lesson, unless somebody else does the lab.
func (a *app) playLesson(ctx context.Context, l *lab.Lab, env replay.Env, do playFunc) (*replay.Report, error) {
	release, err := lab.Lock(l, a.name, "lesson")
	if err != nil {
		return nil, err
	}
	defer release()
	report, err := do(ctx, l, env)
	if err == nil && l.Exclusive {
		// What it leaves would answer in the lessons after it, and in the cluster at large.
		if err := lab.NewSession(l, env.Env).Remove(ctx); err != nil {
			return nil, fmt.Errorf("remove lab %d: %w", l.Number, err)
		}
	}
	return report, err
}

// lessonEnv is where lessons are played: in a cluster, with this very program.
func (a *app) lessonEnv(root string, up *cluster.Cluster) (replay.Env, error) {
	env, err := lab.NewEnv(up)
	if err != nil {
		return replay.Env{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return replay.Env{}, err
	}
	return replay.Env{
		Env: env, Cluster: up, Root: root,
		Program: []string{program, "--cluster", up.Provider, "--name", up.Name},
	}, nil
}

func playedLine(p replay.Played) string {
	mark := "✓"
	switch {
	case p.Problem != "":
		mark = "✗"
	case !p.Matches:
		mark = "≠"
	}
	return fmt.Sprintf("%s %s (%.1fs)", mark, p.Summary(), p.Seconds)
}

func (a *app) printPlayed(r *replay.Report) {
	for _, f := range r.Faults {
		printf(a.std.Out, "%s\n", f)
	}
	switch {
	case len(r.Faults) > 0:
		printf(a.std.Out, "✗ %s in %s (%.0fs)\n", text.Count(len(r.Faults), "fault"), text.Count(len(r.Commands), "command"), r.Seconds)
	case r.Changed:
		printf(a.std.Out, "✓ %s played, and the lesson has new outputs: `git diff` shows them (%.0fs)\n", text.Count(len(r.Commands), "command"), r.Seconds)
	default:
		printf(a.std.Out, "✓ %s: every output is as recorded (%.0fs)\n", text.Count(len(r.Commands), "command"), r.Seconds)
	}
}
