package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// shell runs commands one after the other as one shell would: it keeps the directory and the variables.
type shell struct {
	// dir is where its own files are, and workspace where commands begin.
	dir, workspace string
	environment    []string
	// groups are the process groups of commands that have left something running.
	groups []int
}

// Every command runs in a shell of its own, because one that hangs has to be ended. What it leaves is in two files: the directory,
// and the variables that were not there at first.
const script = `
cd -- "$(cat "$PLAY_STATE/cwd")" || exit
compgen -v | sort > "$PLAY_STATE/before"
[ ! -e "$PLAY_STATE/variables" ] || . "$PLAY_STATE/variables"
trap 'play_code=$?
{ declare -p PATH KUBECONFIG; compgen -v | sort | comm -13 "$PLAY_STATE/before" - | grep -vxE "play_code|BASH_.*|PIPESTATUS|_" |
  while read -r play_name; do declare -p "$play_name"; done; } > "$PLAY_STATE/variables" 2>/dev/null
pwd > "$PLAY_STATE/cwd"
exit $play_code' EXIT
eval "$PLAY_COMMAND"
`

// newShell returns a shell whose commands begin in the workspace. The environment is in the form of os.Environ.
func newShell(dir, workspace string, environment []string) (*shell, error) {
	if err := os.WriteFile(filepath.Join(dir, "cwd"), []byte(workspace+"\n"), 0o600); err != nil {
		return nil, err
	}
	return &shell{dir: dir, workspace: workspace, environment: environment}, nil
}

// errTimeout says that a command did not end in its time, and was ended.
var errTimeout = errors.New("it did not end in time, and was ended")

// run runs one command and returns what it wrote to its standard output and error, in that order of time, and its exit code. What it
// has left running in the background goes on until close.
func (s *shell) run(ctx context.Context, command string, limit time.Duration) (output string, code int, err error) {
	out, err := os.Create(filepath.Join(s.dir, "output"))
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = out.Close() }()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := exec.CommandContext(limited, "bash", "-c", script)
	c.Env = append(slices.Clone(s.environment), "PLAY_STATE="+s.dir, "PLAY_COMMAND="+command)
	c.Dir = s.workspace
	// A file, and not a pipe: what a command leaves in the background would keep a pipe open.
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	if err := c.Start(); err != nil {
		return "", 0, fmt.Errorf("bash: %w", err)
	}
	waitErr := c.Wait()
	// The number of a group that is gone may be another one's by the time of close.
	if !errors.Is(syscall.Kill(-c.Process.Pid, 0), syscall.ESRCH) {
		s.groups = append(s.groups, c.Process.Pid)
	}
	data, err := os.ReadFile(out.Name())
	if err != nil {
		return "", 0, err
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return string(data), 0, context.Cause(ctx)
	case limited.Err() != nil:
		return string(data), 0, errTimeout
	case errors.As(waitErr, &exit):
		return string(data), exit.ExitCode(), nil
	}
	return string(data), 0, waitErr
}

// close ends what commands have left running.
func (s *shell) close() {
	for _, group := range s.groups {
		// What was left may have ended by itself.
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
}

// environment is that of a student's shell: the given programs come first in the PATH, and nothing leads requests elsewhere.
func environment(kubeconfig string, programs ...string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch strings.ToLower(name) {
		case "http_proxy", "https_proxy", "all_proxy", "no_proxy", "kubeconfig", "path", "bash_env", "lc_all", "lang", "language", "term", "tz":
		default:
			env = append(env, variable)
		}
	}
	path := strings.Join(append(programs, os.Getenv("PATH")), string(os.PathListSeparator))
	return append(env, "PATH="+path, "KUBECONFIG="+kubeconfig, "LC_ALL=C.UTF-8", "TERM=dumb", "NO_COLOR=1", "TZ=UTC", "COLUMNS=120")
}
