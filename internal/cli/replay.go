package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// replayFunc is replay.Verify or replay.Record.
type replayFunc func(context.Context, *lab.Lab, replay.Env) (*replay.Report, error)

func (a *app) replayCommand(verb, short string, do replayFunc) *cobra.Command {
	var flags specFlags
	var output outputFlags
	c := &cobra.Command{
		Use:   verb + " N|NAME...",
		Short: short,
		Long: short + `. The command runs the lesson's commands as a student
does, in a temporary workspace. First it resets the lab's namespace to its start and deletes everything
else in it.`,
		Example: "  ingresslab dev " + verb + " 1 2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("dev %s needs the number or name of a lab; run `ingresslab list` for a list", verb)
			}
			return output.check()
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.replayLessons(c, args, &flags, output.output, do)
		},
	}
	output.register(c, outputPretty, outputJSON)
	flags.register(c)
	a.existing.register(c)
	return c
}

func (a *app) replayLessons(c *cobra.Command, args []string, flags *specFlags, output string, do replayFunc) error {
	root, err := a.checkout()
	if err != nil {
		return err
	}
	labs, err := loadLabs(root, args)
	if err != nil {
		return err
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
		env.Progress = func(p replay.Played) { printf(a.std.Out, "  %s\n", commandLine(p)) }
	}
	var reports []*replay.Report
	code := ExitOK
	for _, l := range labs {
		if output != outputJSON {
			printf(a.std.Out, "lesson %d: %s\n", l.Number, l.Title)
		}
		report, err := a.replayLesson(c.Context(), l, c.Name(), env, do)
		if err != nil {
			return fmt.Errorf("lesson %d (%s): %w", l.Number, l.Name, err)
		}
		reports = append(reports, report)
		if len(report.Faults) > 0 {
			code = ExitFailed
		}
		if output != outputJSON {
			a.printReplay(report)
		}
	}
	if output == outputJSON {
		if err := scenario.EncodeJSON(a.std.Out, reports); err != nil {
			return err
		}
	}
	return &outcome{code}
}

// replayLesson replays one lesson, unless another process uses the lab.
func (a *app) replayLesson(ctx context.Context, l *lab.Lab, verb string, env replay.Env, do replayFunc) (*replay.Report, error) {
	release, err := lab.Lock(l, a.name, "dev "+verb)
	if err != nil {
		return nil, err
	}
	defer release()
	report, err := do(ctx, l, env)
	if err == nil && l.Exclusive {
		// The objects of an exclusive lab would affect later lessons.
		if err := lab.NewSession(l, env.Env).Remove(ctx); err != nil {
			return nil, fmt.Errorf("remove lab %d: %w", l.Number, err)
		}
	}
	return report, err
}

// lessonEnv returns the environment of a replay: the cluster and this program.
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

func commandLine(p replay.Played) string {
	mark := "✓"
	switch {
	case p.Problem != "":
		mark = "✗"
	case !p.Matches:
		mark = "≠"
	}
	return fmt.Sprintf("%s %s (%.1fs)", mark, p.Summary(), p.Seconds)
}

func (a *app) printReplay(r *replay.Report) {
	for _, f := range r.Faults {
		printf(a.std.Out, "%s\n", f)
	}
	commands := text.Count(len(r.Commands), "command")
	switch {
	case len(r.Faults) > 0:
		printf(a.std.Out, "✗ %s in %s (%.0fs)\n", text.Count(len(r.Faults), "error"), commands, r.Seconds)
	case r.Changed:
		printf(a.std.Out, "✓ replayed %s and updated the lesson; review it with `git diff` (%.0fs)\n", commands, r.Seconds)
	default:
		printf(a.std.Out, "✓ %s: all outputs match (%.0fs)\n", commands, r.Seconds)
	}
}
