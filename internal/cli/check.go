package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// checkTimeout limits one check, which takes tenths of a second if the API server responds.
const checkTimeout = 30 * time.Second

type checkFlags struct {
	outputFlags
	level int
}

func (a *app) checkCommand() *cobra.Command {
	var flags checkFlags
	c := &cobra.Command{
		Use:   "check N|NAME [TASK]",
		Short: "Check your progress in a lab and get hints",
		Long: `Check the tasks of a lab once, or a single task. For each unfinished task, show the expected result,
the actual result, the reason, and a hint. --hint-level 2 and 3 show more. The command changes nothing.

The exit code is 1 if a task is unfinished, and 3 if the namespace, the controller, or the cluster is missing.`,
		Example: `  ingresslab check 1
  ingresslab check 1 cheddar --hint-level 2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("check needs a lab, and optionally one of its tasks; run `ingresslab list` for a list of labs")
			}
			return nil
		},
		RunE:              func(c *cobra.Command, args []string) error { return a.check(c.Context(), args, &flags) },
		ValidArgsFunction: a.completeCheck,
	}
	flags.register(c, outputPretty, outputJSON)
	c.Flags().IntVar(&flags.level, "hint-level", 1, "hint level: 0 none, 1 question, 2 where to look, 3 answer")
	return c
}

func (a *app) check(ctx context.Context, args []string, flags *checkFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	if flags.level < 0 || flags.level > 3 {
		return usagef("--hint-level: %d is not between 0 and 3", flags.level)
	}
	_, list, err := a.loadLabs(args[:1])
	if err != nil {
		return err
	}
	l := list[0]
	task := strings.Join(args[1:], "")
	if task != "" {
		if _, err := l.Task(task); err != nil {
			return usagef("%v", err)
		}
	}
	_, up, err := a.cluster(ctx)
	if err != nil {
		return err
	}
	env, err := a.labEnv(up)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, fmt.Errorf("the cluster did not respond within %s", checkTimeout))
	defer cancel()
	report, err := lab.NewSession(l, env).Check(ctx, task)
	if err != nil {
		return err
	}
	if flags.output == outputJSON {
		if err := scenario.EncodeJSON(a.std.Out, report); err != nil {
			return err
		}
	} else {
		printCheck(a.std.Out, a.style(a.std.Out), report, flags.level)
		a.printFix(report)
	}
	switch {
	case report.Broken():
		return &outcome{ExitBroken}
	case !report.Done:
		return &outcome{ExitFailed}
	}
	return nil
}

func printCheck(w io.Writer, style scenario.Style, r *lab.ProgressReport, level int) {
	done := 0
	for _, m := range r.Missing {
		printf(w, "%s %s\n", style.Mark("✗"), m.Text)
	}
	for _, t := range r.Tasks {
		switch {
		case t.Done:
			done++
			printf(w, "%s %s\n", style.Mark("✓"), t.Title)
		case len(t.Advice) > 0:
			printf(w, "%s %s (%s)\n", style.Mark("○"), t.Title, t.ID)
			printTask(w, style, t, level)
		case t.Transient && len(r.Missing) == 0:
			printf(w, "%s %s (a later task has undone it)\n", style.Mark("○"), t.Title)
		default:
			printf(w, "%s %s\n", style.Mark("○"), t.Title)
		}
	}
	printf(w, "%s\n", style.Dim(fmt.Sprintf("lab %d: %d of %s done", r.Lab, done, text.Count(len(r.Tasks), "task"))))
}

// printTask prints the expected and the actual result of an unfinished task, and hints up to a level.
func printTask(w io.Writer, style scenario.Style, t lab.TaskCheck, level int) {
	if len(t.Steps) > 0 {
		last := t.Steps[len(t.Steps)-1]
		printf(w, "    %s\n", last.Text)
		scenario.NewPretty(w, style).Explain(last, "    ")
	}
	if level == 0 || len(t.Advice) == 0 {
		return
	}
	levels := t.Advice[0].Levels
	for i, hint := range levels[:min(level, len(levels))] {
		mark := "hint"
		if i > 0 {
			mark = "    "
		}
		printf(w, "    %s  %s\n", mark, strings.ReplaceAll(strings.TrimSpace(hint), "\n", "\n          "))
	}
	if level < len(levels) {
		printf(w, "    %s\n", style.Dim(fmt.Sprintf("more: --hint-level %d", level+1)))
	}
}

// printFix prints the command that restores what is missing.
func (a *app) printFix(r *lab.ProgressReport) {
	switch {
	case len(r.Missing) == 0:
	case r.Missing[0].What == lab.MissingController:
		printf(a.std.Err, "run `ingresslab up%s` to install the controller again\n", a.nameFlag())
	default:
		printf(a.std.Err, "run `ingresslab start %d%s` to restore the start of the lab\n", r.Lab, a.nameFlag())
	}
}

func (a *app) explainCommand() *cobra.Command {
	var q explain.Request
	var output outputFlags
	c := &cobra.Command{
		Use:   "explain URL",
		Short: "Explain how the controller routes a request",
		Long: `Show what the controller would do with a request, and why: the rule that matches, the reason why each
other candidate loses, further requirements for the client, and the pods that could respond. No pod
receives a request. The query goes through the Kubernetes API, so it works even if you can't reach the
controller's ports.

This command is not ` + "`kubectl explain`" + `, which documents the fields of API objects.`,
		Example: `  ingresslab explain http://shop.test/cart
  ingresslab explain https://shop.test/ --header "X-Canary: always" --header "Cookie: user=me"
  ingresslab explain shop.test/admin --method POST --client 10.1.2.3 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("explain needs one URL, such as http://shop.test/path; see `ingresslab explain --help`")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			if q.URL = args[0]; !strings.Contains(q.URL, "://") {
				q.URL = "http://" + q.URL
			}
			client, err := a.connect(c.Context())
			if err != nil {
				return err
			}
			format := explain.Text
			if output.output == outputJSON {
				format = explain.JSON
			}
			answer, err := explain.Ask(c.Context(), client, q, format)
			if refused, ok := errors.AsType[*explain.RefusedError](err); ok {
				return usagef("%v", refused)
			}
			if err != nil {
				return err
			}
			printf(a.std.Out, "%s", answer)
			return nil
		},
	}
	c.Flags().StringVarP(&q.Method, "method", "X", http.MethodGet, "HTTP method of the request")
	c.Flags().StringArrayVarP(&q.Headers, "header", "H", nil, `request header as "Name: value"; can be repeated`)
	c.Flags().StringVar(&q.Client, "client", "", "IP address of the client (default: the address of the API server)")
	c.Flags().StringVar(&q.Random, "random", "", "random value from 0 to 1 that selects between canary and main backend (default: 0.5)")
	output.register(c, outputPretty, outputJSON)
	return c
}

// client returns a client for the cluster's API server.
func (a *app) client(ctx context.Context) (*kube.Client, error) {
	_, up, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	return kube.New(up.Config)
}
