package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// goBuild is the stage that compiles a component.
type goBuild struct {
	component component
	source    string // the checkout's root
	version   string
	arch      string
	runner    runner
}

// run compiles into dir. The results are static binaries for Linux, whatever the
// environment of the caller says about modules, workspaces and cgo.
func (b goBuild) run(ctx context.Context, dir string, detail func(string)) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c := command{
		name: "go",
		dir:  filepath.Join(b.source, filepath.FromSlash(b.component.dir())),
		env: []string{
			"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + b.arch, "GOWORK=off",
			// Never touch go.mod, and do not ask git: the source may be no repository.
			"GOFLAGS=-mod=readonly -buildvcs=false",
		},
	}
	c.env = append(c.env, compilerGC(os.Getenv, totalMemory())...)
	date := ""
	if b.component.needsDate() {
		look := c
		look.args = []string{"list", "-m", "-f", `{{.Time.UTC.Format "2006-01-02T15:04:05Z"}}`, b.component.of}
		if date, err = output(ctx, b.runner, look); err != nil {
			return fmt.Errorf("look up %s: %w", b.component.of, err)
		}
	}
	log := &buildLog{detail: detail}
	c.args = b.component.buildArguments(dir, b.version, date)
	c.line = log.line
	if err := b.runner.run(ctx, c); err != nil {
		return log.explain(err)
	}
	return b.check(dir)
}

// check makes sure that the build left what the later stages take from it.
func (b goBuild) check(dir string) error {
	for _, name := range b.component.binaries {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("go build made no %s", name)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// buildLog reads what `go build -v` writes to stderr: the path of each package when it is
// about to be compiled, a line for each download, and what went wrong.
type buildLog struct {
	detail   func(string)
	packages int
	problems []string
}

const keptProblems = 12

func (l *buildLog) line(line string) {
	if module, ok := strings.CutPrefix(line, "go: downloading "); ok {
		l.detail("downloading " + module)
		return
	}
	if isPackage(line) {
		l.packages++
		l.detail(fmt.Sprintf("%d packages, %s", l.packages, line))
		return
	}
	if len(l.problems) < keptProblems {
		l.problems = append(l.problems, line)
	}
}

// isPackage tells an import path from a message: messages have spaces or colons in them.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}

// explain replaces the end of the output, which with several compilers at work is mostly
// names of packages, by the lines that are messages.
func (l *buildLog) explain(err error) error {
	var failed *failure
	if !errors.As(err, &failed) || len(l.problems) == 0 {
		return err
	}
	return &failure{command: failed.command, tail: strings.Join(l.problems, "\n"), err: failed.err}
}
