package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/tutor"
	"github.com/ingresslab/ingresslab/internal/tutor/tui"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// learnFlags are the flags of learn.
type learnFlags struct {
	spec          specFlags
	plain, forget bool
}

func (a *app) learnCommand() *cobra.Command {
	var flags learnFlags
	c := &cobra.Command{
		Use:   "learn [N|NAME]",
		Short: "Do a lab by hand, with a tutor that watches",
		Long: `Do a lab by hand: the tutor shows the lesson a screen at a time, watches the cluster and your
files, ticks tasks off as they come true, and gives hints when you ask. It goes on where you
were. Work with kubectl and an editor in another terminal; the first screen says how.

Without a terminal, or with --plain, the tutor is a dialog of lines: it reads words from the
standard input (next, hint, solve, quit, ...; help lists them). Without a lab, the labs and
your progress are listed, and the tutor goes on with the one you were in.`,
		Example: `  ingresslab learn 1
  printf 'solve\nnext\n' | ingresslab learn 1    # words instead of keys
  ingresslab learn --reset-progress 1            # forget the progress in lab 1`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeOneLab,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("learn takes the number or the name of one lab, got %q, too; `ingresslab list` lists them", args[1])
			}
			return a.learn(c, strings.Join(args, ""), &flags)
		},
	}
	c.Flags().BoolVar(&flags.plain, "plain", false, "a dialog of lines instead of the whole terminal, for scripts and screen readers")
	c.Flags().BoolVar(&flags.forget, "reset-progress", false, "forget the progress in the lab, or in all of them, and end")
	flags.spec.register(c)
	a.guest.register(c)
	return c
}

func (a *app) learn(c *cobra.Command, argument string, flags *learnFlags) error {
	root, err := a.checkout()
	if err != nil {
		return err
	}
	store := progress.NewStore(progress.DefaultFile())
	if flags.forget {
		return a.forget(c.Context(), store, filepath.Join(root, labsDir), argument)
	}
	if argument == "" {
		if argument, err = a.chooseLab(store, filepath.Join(root, labsDir)); err != nil || argument == "" {
			return err
		}
	}
	dir, err := lab.Find(filepath.Join(root, labsDir), argument)
	if err != nil {
		return err
	}
	l, err := lab.Load(relative(dir))
	if err != nil {
		return err
	}
	release, err := lab.Lock(l, a.name, "learn")
	if err != nil {
		return err
	}
	defer release()
	tutoring := &tutoring{app: a, command: c, flags: flags, lab: l, store: store, root: root}
	return tutoring.run(c.Context())
}

// tutoring is one run of learn.
type tutoring struct {
	*app
	command *cobra.Command
	flags   *learnFlags
	lab     *lab.Lab
	store   *progress.Store
	root    string
	space   *workspace.Workspace
	where   labPlace
}

// run prepares everything, and then hands over to one of the tutor's faces.
func (t *tutoring) run(ctx context.Context) error {
	text, faults := lesson.Parse(filepath.Join(t.lab.Dir, lab.LessonFile), t.lab.Text, t.lab.TextLine)
	if err := faults.Err(); err != nil {
		return err
	}
	session, err := t.up(ctx)
	if err != nil {
		return err
	}
	t.flags.spec.recreate = false // once: what is restored later is not to be taken apart first
	if why := t.where.session().Lacks(); len(why) > 0 {
		return fmt.Errorf("lab %d cannot be done in this cluster: %s", t.lab.Number, strings.Join(why, "; "))
	}
	if err := t.ensureStarted(ctx, session); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	space, err := workspace.Create(relative(t.root), t.lab)
	if err != nil {
		return err
	}
	t.space = space
	files := &tutor.Files{Space: space, Lab: t.lab, Cluster: func() tutor.Getter { return t.where.kube() }}
	changed, err := files.Watch(ctx)
	if err != nil {
		return err
	}
	host := &tutor.Host{
		Files: files, Up: t.up, Gone: t.gone, Changed: changed,
		Store: func(ctx context.Context, r progress.Record) error { return t.store.Put(ctx, t.lab.Name, r) },
	}
	host.Use(session)
	return t.show(ctx, tutor.New(t.course(text), t.remembered()), host)
}

// show runs the face that fits, and says at the end how to go on.
func (t *tutoring) show(ctx context.Context, teacher *tutor.Tutor, host *tutor.Host) error {
	in, out, terminal := t.terminal()
	if t.flags.plain || !terminal {
		return tutor.Plain(ctx, teacher, host, t.std.In, t.std.Out)
	}
	err := tui.Run(ctx, teacher, host, tui.Options{Where: t.where.text, Environment: os.Environ(), In: in, Out: out})
	done, all := 0, teacher.Tasks()
	for _, task := range all {
		if task.Status == tutor.Done {
			done++
		}
	}
	printf(t.std.Err, "Lab %d: %d of %d tasks done. `ingresslab learn%s %d` goes on here; the lab keeps running.\n",
		t.lab.Number, done, len(all), t.nameFlag(), t.lab.Number)
	if errors.Is(err, tui.ErrInterrupted) {
		return &outcome{ExitInterrupted}
	}
	return err
}

// terminal returns the terminal, if there is one that can be drawn on.
func (a *app) terminal() (in, out *os.File, is bool) {
	in, isIn := a.std.In.(*os.File)
	out, isOut := a.std.Out.(*os.File)
	term := os.Getenv("TERM")
	is = isIn && isOut && isatty.IsTerminal(in.Fd()) && isatty.IsTerminal(out.Fd()) && term != "dumb" && term != ""
	return in, out, is
}

// remembered is the lab's progress. What cannot be read is said, and the tutor goes on without.
func (t *tutoring) remembered() progress.Record {
	p, err := t.store.Load()
	if err != nil {
		t.display.Note(oneLine(err.Error()))
	}
	return p.Labs[t.lab.Name]
}

// ensureStarted brings the lab to its start if the cluster does not hold it. What a student has made is never touched.
func (t *tutoring) ensureStarted(ctx context.Context, s tutor.Session) error {
	state, err := s.Poll(ctx)
	if err != nil {
		return err
	}
	for _, loss := range state.Missing {
		if loss.What != lab.MissingNamespace {
			continue
		}
		done := t.display.Step(fmt.Sprintf("Start of lab %d in namespace %s", t.lab.Number, t.lab.Namespace))
		notes, err := s.Start(ctx)
		done(err)
		for _, note := range notes {
			t.display.Note(note)
		}
		return err
	}
	return nil
}
