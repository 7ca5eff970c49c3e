package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// checkTimeout bounds one look at a lab, which takes tenths of a second: an API server that is gone must not keep a student waiting.
const checkTimeout = 30 * time.Second

// checkFlags are the flags of check.
type checkFlags struct {
	output string
	hint   int
}

// checkResult is what `ingresslab check -o json` prints.
type checkResult struct {
	Lab   int         `json:"lab"`
	Name  string      `json:"name"`
	Done  bool        `json:"done"`
	Tasks []taskCheck `json:"tasks"`
	// Lost is what of the lab is gone.
	Lost []lab.Missing `json:"lost,omitempty"`
}

// taskCheck is one task of it.
type taskCheck struct {
	lab.TaskState
	// Transient is true for a task that later ones undo: it need not be done at the end.
	Transient bool         `json:"transient,omitempty"`
	Advice    []lab.Advice `json:"advice,omitempty"`
}

func (a *app) checkCommand() *cobra.Command {
	var flags checkFlags
	c := &cobra.Command{
		Use:   "check N|NAME [TASK]",
		Short: "Say what of a lab is done, and what is wrong with the rest",
		Long: `Look once at the tasks of a lab, or at one of them. Of each that is not done: what was expected,
what was seen, why, and a hint. --hint-level 2 and --hint-level 3 say more. Nothing is changed. Exits with
1 if anything is not done, and with 3 if the namespace, the controller or the cluster is gone.`,
		Example: `  ingresslab check 1
  ingresslab check 1 cheddar --hint-level 2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("check takes a lab and, if you like, one of its tasks; `ingresslab list` lists the labs")
			}
			return nil
		},
		RunE:              func(c *cobra.Command, args []string) error { return a.check(c.Context(), args, &flags) },
		ValidArgsFunction: a.completeCheck,
	}
	f := c.Flags()
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to print it: pretty or json")
	f.IntVar(&flags.hint, "hint-level", 1, "how much the hints say: 1 a question, 2 where to look, 3 the answer; 0 nothing")
	return c
}

func (a *app) check(ctx context.Context, args []string, flags *checkFlags) error {
	if err := checkOutput(flags.output, outputPretty, outputJSON); err != nil {
		return err
	}
	if flags.hint < 0 || flags.hint > 3 {
		return usagef("--hint-level: %d is not one of 0, 1, 2 and 3", flags.hint)
	}
	root, err := a.checkout()
	if err != nil {
		return err
	}
	list, err := loadLabs(root, args[:1])
	if err != nil {
		return err
	}
	l := list[0]
	if len(args) > 1 {
		if _, err := l.Task(args[1]); err != nil {
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
	ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, fmt.Errorf("the cluster did not answer within %s", checkTimeout))
	defer cancel()
	result, err := look(ctx, lab.NewSession(l, env), args[1:])
	if err != nil {
		return err
	}
	if flags.output == outputJSON {
		enc := json.NewEncoder(a.std.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(result)
	} else {
		printCheck(a.std.Out, a.style(a.std.Out), result, flags.hint)
		a.printRemedy(result)
	}
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(result.Lost, func(l lab.Missing) bool { return l.What != lab.MissingStart }):
		return &outcome{ExitBroken}
	case !result.Done:
		return &outcome{ExitFailed}
	}
	return nil
}

// look looks at a lab, or at the one task that is named, and asks for advice on what is not done.
func look(ctx context.Context, s *lab.Session, only []string) (*checkResult, error) {
	state, err := s.Poll(ctx)
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	l := s.Lab()
	result := &checkResult{Lab: l.Number, Name: l.Name, Done: true, Tasks: []taskCheck{}, Lost: state.Missing}
	gone := slices.ContainsFunc(state.Missing, func(l lab.Missing) bool { return l.What != lab.MissingStart })
	for i, t := range state.Tasks {
		if len(only) > 0 && !slices.Contains(only, t.ID) {
			continue
		}
		check := taskCheck{TaskState: t, Transient: l.Tasks[i].Transient}
		passed := check.Transient && len(only) == 0 && anyDone(state.Tasks[i+1:])
		if !t.Done && !passed {
			result.Done = false
			if !gone {
				if check.Advice, err = s.Advise(ctx, t.ID); err != nil {
					return nil, err
				}
			}
		}
		result.Tasks = append(result.Tasks, check)
	}
	return result, nil
}

func anyDone(tasks []lab.TaskState) bool {
	return slices.ContainsFunc(tasks, func(t lab.TaskState) bool { return t.Done })
}

// printCheck prints the result for people.
func printCheck(w io.Writer, style scenario.Style, r *checkResult, tier int) {
	done := 0
	for _, loss := range r.Lost {
		printf(w, "%s %s\n", style.Mark("✗"), loss.Text)
	}
	for _, t := range r.Tasks {
		switch {
		case t.Done:
			done++
			printf(w, "%s %s\n", style.Mark("✓"), t.Title)
		case len(t.Advice) == 0:
			printf(w, "%s %s%s\n", style.Mark("○"), t.Title, map[bool]string{true: " (a later task has undone it)"}[t.Transient && len(r.Lost) == 0])
		default:
			printf(w, "%s %s (%s)\n", style.Mark("○"), t.Title, t.ID)
			printTask(w, style, t, tier)
		}
	}
	printf(w, "%s\n", style.Dim(fmt.Sprintf("lab %d: %d of %s done", r.Lab, done, text.Count(len(r.Tasks), "task"))))
}

// printTask says of a task that is not done what was expected and seen, and gives hints up to a tier.
func printTask(w io.Writer, style scenario.Style, t taskCheck, tier int) {
	if len(t.Steps) > 0 {
		last := t.Steps[len(t.Steps)-1]
		printf(w, "    %s\n", last.Text)
		scenario.NewPretty(w, style).Explain(last, "    ")
	}
	if tier == 0 || len(t.Advice) == 0 {
		return
	}
	first := t.Advice[0]
	for i, text := range first.Tiers[:min(tier, len(first.Tiers))] {
		mark := "hint"
		if i > 0 {
			mark = "    "
		}
		printf(w, "    %s  %s\n", mark, strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n          "))
	}
	if more := len(first.Tiers); tier < more {
		printf(w, "    %s\n", style.Dim(fmt.Sprintf("more: --hint-level %d", tier+1)))
	}
}

// printRemedy says how to get back what is gone.
func (a *app) printRemedy(r *checkResult) {
	if len(r.Lost) == 0 {
		return
	}
	// One command puts back all of it.
	remedy := fmt.Sprintf("`ingresslab start %d%s` puts it back, and with it start/", r.Lab, a.nameFlag())
	if r.Lost[0].What == lab.MissingController {
		remedy = fmt.Sprintf("`ingresslab up%s` installs the controller again", a.nameFlag())
	}
	printf(a.std.Err, "%s\n", remedy)
}
