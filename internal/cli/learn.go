package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/tutor"
	"github.com/ingresslab/ingresslab/internal/tutor/tui"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

type learnFlags struct {
	spec         specFlags
	plain, reset bool
}

func (a *app) learnCommand() *cobra.Command {
	var flags learnFlags
	c := &cobra.Command{
		Use:   "learn [N|NAME]",
		Short: "Work through a lab interactively",
		Long: `Work through a lab: the tutor shows the lesson page by page, watches the cluster and your files, marks
tasks as done, and gives hints on request. It resumes where you stopped. Work with kubectl and an
editor in a second terminal; the first page shows how. Without an argument, the command lists the
labs with your progress, and offers to continue.

With --plain, or without a terminal, the tutor reads words from standard input: next, hint, solve,
quit, and others. The word help lists them.`,
		Example: `  ingresslab learn 1
  printf 'solve\nnext\n' | ingresslab learn 1    # words replace keys
  ingresslab learn --reset-progress 1            # delete your progress in lab 1`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeOneLab,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("learn accepts one lab, but got %q, too; run `ingresslab list` for a list", args[1])
			}
			return a.learn(c, strings.Join(args, ""), &flags)
		},
	}
	c.Flags().BoolVar(&flags.plain, "plain", false, "use line-based output, for scripts and screen readers")
	c.Flags().BoolVar(&flags.reset, "reset-progress", false, "delete saved progress for the lab, or for all labs, and exit")
	flags.spec.register(c)
	a.existing.register(c)
	return c
}

func (a *app) learn(c *cobra.Command, argument string, flags *learnFlags) error {
	root, err := a.checkout()
	if err != nil {
		return err
	}
	store := progress.NewStore(progress.DefaultFile())
	if flags.reset {
		return a.resetProgress(c.Context(), store, filepath.Join(root, labsDir), argument)
	}
	if argument == "" {
		if argument, err = a.chooseLab(store, filepath.Join(root, labsDir)); err != nil || argument == "" {
			return err
		}
	}
	_, list, err := a.loadLabs([]string{argument})
	if err != nil {
		return err
	}
	l := list[0]
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
	where   atomic.Pointer[labPlace] // the current cluster
}

// run sets up the lab, and starts a front end of the tutor.
func (t *tutoring) run(ctx context.Context) error {
	text, faults := lesson.Parse(filepath.Join(t.lab.Dir, lab.LessonFile), t.lab.Text, t.lab.TextLine)
	if err := faults.Err(); err != nil {
		return err
	}
	session, err := t.up(ctx)
	if err != nil {
		return err
	}
	t.flags.spec.recreate = false // a later restore must not recreate the cluster
	if why := t.where.Load().session.Lacks(); len(why) > 0 {
		return fmt.Errorf("lab %d does not work in this cluster: %s", t.lab.Number, strings.Join(why, "; "))
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
	files := &tutor.Files{Space: space, Lab: t.lab, Cluster: func() tutor.Getter { return t.where.Load().env.Kube }}
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

// show runs the front end that fits the terminal, and prints how to continue.
func (t *tutoring) show(ctx context.Context, teacher *tutor.Tutor, host *tutor.Host) error {
	in, out, terminal := t.terminal()
	if t.flags.plain || !terminal {
		return tutor.Plain(ctx, teacher, host, t.std.In, t.std.Out)
	}
	where := func() string { return t.where.Load().text() }
	err := tui.Run(ctx, teacher, host, tui.Options{Where: where, Environment: os.Environ(), In: in, Out: out})
	done, all := 0, teacher.Tasks()
	for _, task := range all {
		if task.Status == tutor.Done {
			done++
		}
	}
	printf(t.std.Err, "Lab %d: %d of %d tasks done. The lab keeps running. To continue, run `ingresslab learn %[1]d%[4]s`.\n",
		t.lab.Number, done, len(all), t.nameFlag())
	if errors.Is(err, tui.ErrInterrupted) {
		return &outcome{ExitInterrupted}
	}
	return err
}

// terminal returns the standard streams if they are a terminal that supports cursor movement.
func (a *app) terminal() (in, out *os.File, is bool) {
	in, isIn := a.std.In.(*os.File)
	out, isOut := a.std.Out.(*os.File)
	term := os.Getenv("TERM")
	is = isIn && isOut && isatty.IsTerminal(in.Fd()) && isatty.IsTerminal(out.Fd()) && term != "dumb" && term != ""
	return in, out, is
}

// remembered returns the saved progress in the lab. It prints a read error as a note, and continues.
func (t *tutoring) remembered() progress.Record {
	p, err := t.store.Load()
	if err != nil {
		t.display.Note(oneLine(err.Error()))
	}
	return p.Labs[t.lab.Name]
}

// ensureStarted sets up the lab if its namespace doesn't exist. It never changes the student's objects.
func (t *tutoring) ensureStarted(ctx context.Context, s tutor.Session) error {
	state, err := s.Poll(ctx)
	if err != nil {
		return err
	}
	for _, loss := range state.Missing {
		if loss.What != lab.MissingNamespace {
			continue
		}
		done := t.display.Step(fmt.Sprintf("Setting up lab %d in namespace %s", t.lab.Number, t.lab.Namespace))
		notes, err := s.Start(ctx)
		done(err)
		for _, note := range notes {
			t.display.Note(note)
		}
		return err
	}
	return nil
}

// labPlace is the cluster of a lab, with the lab's session in it.
type labPlace struct {
	cluster *cluster.Cluster
	env     lab.Env
	session *lab.Session
}

// text returns the name, provider, and ports of the cluster.
func (p *labPlace) text() string {
	c := p.cluster
	text := fmt.Sprintf("%s (%s)", c.Name, c.Provider)
	for _, at := range []struct{ what, address string }{
		{"http", c.Addresses.HTTP}, {"https", c.Addresses.HTTPS}, {"status", c.Addresses.Status},
	} {
		if _, port, err := net.SplitHostPort(at.address); err == nil {
			text += fmt.Sprintf("  %s %s", at.what, port)
		}
	}
	return text
}

// up starts the cluster and returns the lab's session in it.
func (t *tutoring) up(ctx context.Context) (tutor.Session, error) {
	t.command.SetContext(ctx)
	c, err := t.bringUp(t.command, &t.flags.spec)
	if err != nil {
		return nil, err
	}
	if err := c.UseNamespace(t.lab.Namespace); err != nil {
		return nil, err
	}
	if err := t.stay(c); err != nil {
		return nil, err
	}
	env, err := t.labEnv(c)
	if err != nil {
		return nil, err
	}
	p := &labPlace{c, env, lab.NewSession(t.lab, env)}
	t.where.Store(p)
	return p.session, nil
}

// stay sets the flags so that a restored cluster has the same provider and ports, which the lesson shows.
func (t *tutoring) stay(c *cluster.Cluster) error {
	t.provider = c.Provider
	if c.Forward != "" {
		return nil // the ports are those of a port forwarder, not of the cluster
	}
	for flag, address := range map[string]string{
		"http-port": c.Addresses.HTTP, "https-port": c.Addresses.HTTPS, "status-port": c.Addresses.Status,
	} {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("address of the cluster: %w", err)
		}
		if err := t.command.Flags().Set(flag, port); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return nil
}

// gone returns an error if the cluster no longer exists, and nil if it exists or its state is unknown. It prints nothing.
func (t *tutoring) gone(ctx context.Context) error {
	none := &cluster.NotFoundError{Name: t.name}
	owners, err := t.owners(ctx)
	switch {
	case err != nil:
		return nil
	case len(owners) == 0:
		return none
	}
	_, err = owners[0].Provider.Get(ctx, t.name)
	if errors.As(err, &none) {
		return none
	}
	return nil
}

// course returns the lesson with the cluster's ports. The first page describes how to work in a second terminal.
func (t *tutoring) course(text *lesson.Lesson) tutor.Course {
	c := tutor.Course{Lab: t.lab}
	for i, s := range text.All() {
		page := tutor.Page{Title: s.Title, Text: lesson.WithPorts(s.Markdown, t.where.Load().cluster.Addresses), Tasks: s.Tasks}
		if i == 0 {
			page.Title = "Before you begin"
			page.Text = strings.TrimRight(page.Text, "\n") + "\n\n" + t.secondTerminal()
		}
		c.Pages = append(c.Pages, page)
	}
	return c
}

// secondTerminal describes how to work in a second terminal.
func (t *tutoring) secondTerminal() string {
	dir, err := filepath.Abs(t.space.Path)
	if err != nil {
		dir = t.space.Path
	}
	kubectl := ""
	if _, err := exec.LookPath("kubectl"); err != nil {
		kubectl = "kubectl is not in your PATH. To compile it into `bin/`, run `make kubectl`.\n\n"
		if own, err := filepath.Abs(filepath.Join(t.root, "bin")); err == nil {
			if _, err := os.Stat(filepath.Join(own, "kubectl")); err == nil {
				kubectl = "kubectl is not in your PATH, but in `" + own + "`.\n\n"
			}
		}
	}
	program := ""
	if line := programLine(); line != "" {
		program = "$ " + line + "\n"
	}
	return fmt.Sprintf("**Work in a second terminal.** These commands point kubectl at this cluster, in namespace %s:\n\n"+
		"```console\n$ cd %s\n$ %s\n%s```\n\n%sThe tutor marks each task as done when its check passes.\n",
		t.lab.Namespace, shellQuote(dir), exportLine(t.where.Load().cluster), program, kubectl)
}

// programLine returns a shell command that adds ingresslab to PATH. It is empty if PATH has it, or the program has another name.
func programLine() string {
	own, err := os.Executable()
	if err != nil || filepath.Base(own) != "ingresslab" {
		return ""
	}
	if _, err := exec.LookPath("ingresslab"); err == nil {
		return ""
	}
	return "export PATH=" + shellQuote(filepath.Dir(own)) + ":$PATH"
}
