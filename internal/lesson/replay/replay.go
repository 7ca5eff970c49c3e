// Package replay runs the commands of a lesson and compares their outputs with the recorded ones.
//
// [Verify] resets a lab, copies start/ to a workspace, and runs the lesson from top to bottom: it
// writes the files and runs the commands in bash with the cluster's kubeconfig. [Record] does the
// same and writes the outputs that differ into the lesson.
//
// Read replay.go for the run, shell.go for how a command runs, and record.go for what Record
// writes.
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

// Env is the environment of a replay.
type Env struct {
	lab.Env
	Cluster *cluster.Cluster
	Root    string // Root is the checkout. Its bin/kubectl is the fallback if PATH has no kubectl.
	// Program replaces "ingresslab" in a lesson and selects the cluster: [bin/ingresslab --name x].
	Program  []string
	Progress func(Result) // Progress receives the result of each command; it can be nil.
}

// Result is the result of one command.
type Result struct {
	lesson.Command
	Indent string `json:"-"`    // the indentation of the block
	Got    string `json:"got"`  // the output with the default ports and names of a lesson
	Code   int    `json:"code"` // the exit code
	// Problem describes an error other than a different output.
	Problem string  `json:"problem,omitempty"`
	Matches bool    `json:"matches"` // reports whether Got equals the recorded output
	Seconds float64 `json:"seconds"` // the duration of all tries
}

// Report is the result of a replay.
type Report struct {
	Lab      string                 `json:"lab"`
	Commands []Result               `json:"commands"`
	Faults   strictyaml.Diagnostics `json:"faults,omitempty"` // the differences, with file and line
	// Changed reports whether Record changed the lesson.
	Changed bool    `json:"changed,omitempty"`
	Seconds float64 `json:"seconds"`
}

const (
	// commandLimit is the time limit of one command. Some commands send thousands of requests.
	commandLimit = 4 * time.Minute
	// retryFor is the time for which a read-only command is retried until its output matches.
	retryFor = 30 * time.Second
	// brieflyRetryFor replaces retryFor after manyFaults, because an earlier step must have failed.
	brieflyRetryFor = 3 * time.Second
	manyFaults      = 3
	retryEvery      = 300 * time.Millisecond // the pause between tries
)

// Verify replays the lab's lesson and reports the outputs that differ. It leaves the lab in its
// final state. An error means that the replay could not start or continue; the report covers the
// commands before it.
func Verify(ctx context.Context, l *lab.Lab, env Env) (*Report, error) {
	return (&replayer{lab: l, env: env, retryFor: retryFor}).replay(ctx)
}

type replayer struct {
	lab      *lab.Lab
	env      Env
	shell    *shell
	dir      string // the temporary directory
	kube     string // the path of the kubeconfig
	retryFor time.Duration
	// settled returns a function that reports whether a different output is final. Record sets it.
	settled func() func(output string) bool
	report  *Report
}

func (r *replayer) replay(ctx context.Context) (report *Report, err error) {
	began := time.Now()
	r.report = &Report{Lab: r.lab.Name}
	defer func() { r.report.Seconds = time.Since(began).Seconds() }()
	text, faults := r.lab.Lesson()
	if err := faults.Err(); err != nil {
		return r.report, err
	}
	if _, err := lab.NewSession(r.lab, r.env.Env).Reset(ctx); err != nil {
		return r.report, fmt.Errorf("reset the lab: %w", err)
	}
	defer func() { err = errors.Join(err, r.clear()) }()
	if err := r.prepare(); err != nil {
		return r.report, fmt.Errorf("prepare the workspace: %w", err)
	}
	for _, page := range text.All() {
		for _, block := range page.Blocks {
			if err := r.block(ctx, text.File, block); err != nil {
				return r.report, fmt.Errorf("%s:%d: %w", text.File, block.Line, err)
			}
		}
	}
	return r.report, nil
}

// clear removes the temporary directory and kills the background processes.
func (r *replayer) clear() error {
	if r.shell != nil {
		r.shell.close()
	}
	if r.dir == "" {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// workspace returns the directory in which a student would work.
func (r *replayer) workspace() string {
	return filepath.Join(r.dir, "workspace", filepath.Base(r.lab.Dir))
}

// prepare creates the workspace, the programs, and the lab's kubeconfig in a checkout's layout.
func (r *replayer) prepare() error {
	temporary, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return err
	}
	if r.dir, err = os.MkdirTemp(temporary, "ingresslab-lesson-"); err != nil {
		return err
	}
	bin, state := filepath.Join(r.dir, "bin"), filepath.Join(r.dir, "state")
	for _, d := range []string{bin, state} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	if err := os.CopyFS(r.workspace(), os.DirFS(filepath.Join(r.lab.Dir, "start"))); err != nil {
		return err
	}
	r.kube = filepath.Join(r.dir, "kubeconfig")
	if err := kubeconfig(r.env.Cluster.Kubeconfig, r.kube, r.lab.Namespace); err != nil {
		return err
	}
	programs := []string{bin}
	if _, err := exec.LookPath("kubectl"); err != nil {
		own := filepath.Join(r.env.Root, "bin")
		if _, err := os.Stat(filepath.Join(own, "kubectl")); err != nil {
			return errors.New("kubectl is not in PATH; run `make kubectl` to build it")
		}
		programs = append(programs, own)
	}
	if err := wrapper(filepath.Join(bin, "ingresslab"), r.env.Program); err != nil {
		return err
	}
	r.shell, err = newShell(state, r.workspace(), environment(r.kube, programs...))
	return err
}

// kubeconfig copies a kubeconfig and sets its namespace.
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
		return fmt.Errorf("%s: context %q not found", from, config.CurrentContext)
	}
	current.Namespace = namespace
	return clientcmd.WriteToFile(*config, to)
}

// wrapper writes a script that runs a program and appends its own arguments.
func wrapper(file string, program []string) error {
	if len(program) == 0 {
		return nil
	}
	quoted := make([]string, len(program))
	for i, word := range program {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	text := "#!/bin/sh\nexec " + strings.Join(quoted, " ") + " \"$@\"\n"
	return os.WriteFile(file, []byte(text), 0o700) //nolint:gosec // a script must be executable
}

func (r *replayer) block(ctx context.Context, file string, b lesson.Block) error {
	if !b.Replayed() {
		return nil
	}
	if b.Kind == lesson.File {
		name := filepath.Join(r.workspace(), b.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(lesson.WithPorts(b.Text, r.env.Addresses)), 0o600)
	}
	for _, c := range b.Commands {
		result, err := r.command(ctx, c, b.Hidden)
		if err != nil {
			return fmt.Errorf("%s: %w", firstLine(c.Text), err)
		}
		result.Indent = b.Indent
		r.report.Commands = append(r.report.Commands, result)
		if message := result.fault(); message != "" {
			r.report.Faults = append(r.report.Faults, strictyaml.Diagnostic{File: file, Position: strictyaml.Position{Line: c.Line},
				Message: message})
			if r.settled == nil && len(r.report.Faults) >= manyFaults {
				r.retryFor = min(r.retryFor, brieflyRetryFor)
			}
		}
		if r.env.Progress != nil {
			r.env.Progress(result)
		}
	}
	return nil
}

// fault describes what is wrong. It is empty if nothing is.
func (c *Result) fault() string {
	switch {
	case c.Problem != "":
		return fmt.Sprintf("`%s`: %s", firstLine(c.Text), c.Problem)
	case !c.Matches:
		return fmt.Sprintf("the output of `%s` differs (- recorded, + actual):\n%s", firstLine(c.Text), lesson.Diff(c.Expected(), c.Got))
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

// Exit codes of bash for a program that it cannot run.
const codeNotExecutable, codeNotFound = 126, 127

// command retries a read-only command until the output matches. A hidden one only has to succeed.
func (r *replayer) command(ctx context.Context, c lesson.Command, hidden bool) (Result, error) {
	result := Result{Command: c}
	text := lesson.WithPorts(c.Text, r.env.Addresses)
	began := time.Now()
	retry := isReadOnly(c.Text) && !hidden
	var settled func(string) bool
	if r.settled != nil {
		settled = r.settled()
	}
	for {
		output, code, err := r.shell.run(ctx, text, commandLimit)
		switch {
		case errors.Is(err, errTimeout):
			result.Problem = fmt.Sprintf("%v (%s)", err, commandLimit)
		case err != nil:
			return result, err
		}
		result.Got, result.Code = r.asRecorded(output), code
		result.Matches = hidden || lesson.Match(c.Expected(), result.Got)
		result.Seconds = time.Since(began).Seconds()
		if code == codeNotFound || code == codeNotExecutable || hidden && code != 0 {
			result.Problem = fmt.Sprintf("exit code %d: %s", code, strings.TrimSpace(result.Got))
		}
		final := result.Matches || result.Problem != "" || !retry || time.Since(began) >= r.retryFor
		if final || settled != nil && settled(result.Got) {
			return result, nil
		}
		select {
		case <-ctx.Done():
			return result, context.Cause(ctx)
		case <-time.After(retryEvery):
		}
	}
}

// Summary returns the command in one line.
func (c *Result) Summary() string { return firstLine(c.Text) }
