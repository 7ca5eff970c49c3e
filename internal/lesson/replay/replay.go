package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Env is where a lesson is played.
type Env struct {
	lab.Env
	// Cluster is where it is played, of the same cluster as Env.
	Cluster *cluster.Cluster
	// Root is the checkout: kubectl is taken from its bin/ if there is none in PATH.
	Root string
	// Program is what "ingresslab" means in a lesson, with the flags that name the cluster: [bin/ingresslab --name x].
	Program []string
	// Progress hears of every command when it is done; nil if nobody listens.
	Progress func(Played)
}

// Played is one command that was run.
type Played struct {
	lesson.Command
	// Indent is that of its block.
	Indent string `json:"-"`
	// Got is what it wrote, in the words of a lesson: with the default ports and names.
	Got string `json:"got"`
	// Code is its exit code.
	Code int `json:"code"`
	// Problem says what is wrong beside a different output; empty for nothing.
	Problem string `json:"problem,omitempty"`
	// Matches says whether Got is as recorded.
	Matches bool `json:"matches"`
	// Seconds is how long it took, with all the times that it was tried.
	Seconds float64 `json:"seconds"`
}

// Report is what came of playing a lesson.
type Report struct {
	Lab      string   `json:"lab"`
	Commands []Played `json:"commands"`
	// Faults are the differences, with file and line.
	Faults strictyaml.Diagnostics `json:"faults,omitempty"`
	// Changed says that Record has written the lesson anew.
	Changed bool    `json:"changed,omitempty"`
	Seconds float64 `json:"seconds"`
}

const (
	// commandLimit is how long one command may take: thousands of requests under load, on a machine that has others to serve.
	commandLimit = 4 * time.Minute
	// patience is how long a command that only looks is tried again until its output is as recorded.
	patience = 30 * time.Second
	// lostPatience is that after several were not: something before them went wrong.
	lostPatience = 3 * time.Second
	// enoughFaults is how many are several.
	enoughFaults = 3
	// pause is that between two looks.
	pause = 300 * time.Millisecond
)

// Verify plays the lab's lesson from its start, and says where an output is not as recorded. The lab is then as the lesson leaves it.
// The error says that the lab could not be started or the lesson not be played; a report of what was played comes with it.
func Verify(ctx context.Context, l *lab.Lab, env Env) (*Report, error) {
	p := &player{lab: l, env: env, patience: patience}
	return p.play(ctx)
}

// player goes through one lesson.
type player struct {
	lab      *lab.Lab
	env      Env
	shell    *shell
	dir      string // everything temporary
	kube     string // the kubeconfig
	patience time.Duration
	// settled says whether an output that is not as recorded is to be taken; it is nil unless outputs are recorded.
	settled func() func(output string) bool
	report  *Report
}

func (p *player) play(ctx context.Context) (report *Report, err error) {
	began := time.Now()
	p.report = &Report{Lab: p.lab.Name}
	defer func() { p.report.Seconds = time.Since(began).Seconds() }()
	text, faults := p.lab.Lesson()
	if err := faults.Err(); err != nil {
		return p.report, err
	}
	if _, err := lab.NewSession(p.lab, p.env.Env).Reset(ctx); err != nil {
		return p.report, fmt.Errorf("bring the lab to its start: %w", err)
	}
	defer func() { err = errors.Join(err, p.clear()) }()
	if err := p.prepare(); err != nil {
		return p.report, fmt.Errorf("prepare the workspace: %w", err)
	}
	for _, screen := range text.All() {
		for _, block := range screen.Blocks {
			if err := p.block(ctx, text.File, block); err != nil {
				return p.report, fmt.Errorf("%s:%d: %w", text.File, block.Line, err)
			}
		}
	}
	return p.report, nil
}

// clear takes away what prepare has made, as far as it came, and ends what commands have left running.
func (p *player) clear() error {
	if p.shell != nil {
		p.shell.close()
	}
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// workspace is where a student would work.
func (p *player) workspace() string {
	return filepath.Join(p.dir, "workspace", filepath.Base(p.lab.Dir))
}

// prepare makes what a student has: a workspace, a kubeconfig whose namespace is the lab's, and the programs. The layout is that of a
// checkout: workspace/NN-name beside bin/.
func (p *player) prepare() error {
	temporary, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp(temporary, "ingresslab-lesson-"); err != nil {
		return err
	}
	bin, state := filepath.Join(p.dir, "bin"), filepath.Join(p.dir, "state")
	for _, d := range []string{bin, state} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	if err := os.CopyFS(p.workspace(), os.DirFS(filepath.Join(p.lab.Dir, "start"))); err != nil {
		return err
	}
	p.kube = filepath.Join(p.dir, "kubeconfig")
	if err := kubeconfig(p.env.Cluster.Kubeconfig, p.kube, p.lab.Namespace); err != nil {
		return err
	}
	programs := []string{bin}
	if _, err := exec.LookPath("kubectl"); err != nil {
		own := filepath.Join(p.env.Root, "bin")
		if _, err := os.Stat(filepath.Join(own, "kubectl")); err != nil {
			return errors.New("there is no kubectl in PATH; `make kubectl` gets one")
		}
		programs = append(programs, own)
	}
	if err := wrapper(filepath.Join(bin, "ingresslab"), p.env.Program); err != nil {
		return err
	}
	p.shell, err = newShell(state, p.workspace(), environment(p.kube, programs...))
	return err
}

// kubeconfig copies a kubeconfig, and names the namespace in the copy.
func kubeconfig(from, to, namespace string) error {
	config, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return err
	}
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return err
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil {
		return fmt.Errorf("%s: the context %q is not there", from, config.CurrentContext)
	}
	current.Namespace = namespace
	return clientcmd.WriteToFile(*config, to)
}

// wrapper writes a program that runs another one with some arguments before its own.
func wrapper(file string, program []string) error {
	if len(program) == 0 {
		return nil
	}
	quoted := make([]string, len(program))
	for i, word := range program {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	text := "#!/bin/sh\nexec " + strings.Join(quoted, " ") + " \"$@\"\n"
	return os.WriteFile(file, []byte(text), 0o700) //nolint:gosec // a program has to be executable
}

// block plays a block.
func (p *player) block(ctx context.Context, file string, b lesson.Block) error {
	if !b.Played() {
		return nil
	}
	if b.Kind == lesson.File {
		name := filepath.Join(p.workspace(), b.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(lesson.WithPorts(b.Text, p.env.Addresses)), 0o600)
	}
	for _, c := range b.Commands {
		played, err := p.command(ctx, c, b.Hidden)
		if err != nil {
			return fmt.Errorf("%s: %w", firstLine(c.Text), err)
		}
		played.Indent = b.Indent
		p.report.Commands = append(p.report.Commands, played)
		if message := complaint(played); message != "" {
			p.report.Faults = append(p.report.Faults, strictyaml.Diagnostic{File: file, Position: strictyaml.Position{Line: c.Line}, Message: message})
			if p.settled == nil && len(p.report.Faults) >= enoughFaults {
				p.patience = min(p.patience, lostPatience)
			}
		}
		if p.env.Progress != nil {
			p.env.Progress(played)
		}
	}
	return nil
}

// complaint says what is wrong with what was played; "" if nothing is.
func complaint(c Played) string {
	switch {
	case c.Problem != "":
		return fmt.Sprintf("`%s`: %s", firstLine(c.Text), c.Problem)
	case !c.Matches:
		return fmt.Sprintf("the output of `%s` is not as recorded (- recorded, + now):\n%s", firstLine(c.Text), lesson.Diff(c.Expected(), c.Got))
	}
	return ""
}

func firstLine(text string) string {
	line, more, _ := strings.Cut(text, "\n")
	if more != "" {
		line = strings.TrimSuffix(line, `\`) + "..."
	}
	return line
}

// Exit codes of the shell for what it could not run.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// command runs a command; one that only looks, until its output is as recorded or patience ends. The output of a hidden one is
// nobody's business, as long as it succeeds.
func (p *player) command(ctx context.Context, c lesson.Command, hidden bool) (Played, error) {
	played := Played{Command: c}
	text := lesson.WithPorts(c.Text, p.env.Addresses)
	began := time.Now()
	again := looks(c.Text) && !hidden
	var settled func(string) bool
	if p.settled != nil {
		settled = p.settled()
	}
	for {
		output, code, err := p.shell.run(ctx, text, commandLimit)
		switch {
		case errors.Is(err, errTimeout):
			played.Problem = fmt.Sprintf("%v (%s)", err, commandLimit)
		case err != nil:
			return played, err
		}
		played.Got, played.Code = p.words(output), code
		played.Matches = hidden || lesson.Match(c.Expected(), played.Got)
		played.Seconds = time.Since(began).Seconds()
		if code == codeNotFound || code == codeNotExecutable || hidden && code != 0 {
			played.Problem = fmt.Sprintf("exit code %d: %s", code, strings.TrimSpace(played.Got))
		}
		enough := played.Matches || played.Problem != "" || !again || time.Since(began) >= p.patience
		if enough || settled != nil && settled(played.Got) {
			return played, nil
		}
		select {
		case <-ctx.Done():
			return played, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// Summary is the command in one line.
func (p *Played) Summary() string { return firstLine(p.Text) }
