package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// goBuild is the stage that compiles a component.
type goBuild struct {
	component component
	source    string // root of the checkout
	version   string
	arch      string
	runner    runner
}

// run compiles static Linux binaries into dir. It overrides the user's settings for modules,
// workspaces and cgo.
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
			// Do not change go.mod. Do not run git, because the source might not be a repository.
			"GOFLAGS=-mod=readonly -buildvcs=false",
		},
	}
	c.env = append(c.env, compilerGC(os.Getenv, totalMemory())...)
	date := ""
	if b.component.needsDate() {
		list := c
		list.args = []string{"list", "-m", "-f", `{{.Time.UTC.Format "2006-01-02T15:04:05Z"}}`, b.component.of}
		if date, err = output(ctx, b.runner, list); err != nil {
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

// check checks that the build created all binaries.
func (b goBuild) check(dir string) error {
	for _, name := range b.component.binaries {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("go build did not create %s", name)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// buildLog parses the stderr of `go build -v`: import paths of packages, downloads and errors.
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

// isPackage reports whether a line is an import path. Messages contain spaces or colons.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}

// explain returns an error with the messages. The end of the output can be only import paths,
// because compilers run in parallel.
func (l *buildLog) explain(err error) error {
	var failed *failure
	if !errors.As(err, &failed) || len(l.problems) == 0 {
		return err
	}
	return &failure{command: failed.command, tail: strings.Join(l.problems, "\n"), err: failed.err}
}

// compilerGC returns the GOGC setting (https://go.dev/doc/gc-guide#GOGC) that makes the Go compiler
// faster on machines with enough memory; see docs/node-image.md. It keeps a GOGC of the user. The
// setting does not affect the compiled packages or the build cache.
func compilerGC(getenv func(string) string, memory uint64) []string {
	const enough = 8 << 30 // bytes; a cautious estimate
	if getenv("GOGC") != "" || memory < enough {
		return nil
	}
	return []string{"GOGC=400"}
}

// totalMemory returns the memory of the machine in bytes, or 0 if unknown.
// https://docs.kernel.org/filesystems/proc.html#meminfo
func totalMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kibibytes, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return 0
			}
			return kibibytes << 10
		}
	}
	return 0
}
