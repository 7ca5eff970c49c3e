package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lesson"
)

// shell runs each command in its own bash process and keeps the directory and the variables.
type shell struct {
	dir         string // the shell's own files
	workspace   string // the first directory
	environment []string
	groups      []int // the process groups with background processes
}

// script runs $PLAY_COMMAND in its own process, so that a command that hangs can be killed. It
// saves the directory and the new variables in two files.
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

// newShell returns a shell that starts in the workspace; environment is like os.Environ.
func newShell(dir, workspace string, environment []string) (*shell, error) {
	if err := os.WriteFile(filepath.Join(dir, "cwd"), []byte(workspace+"\n"), 0o600); err != nil {
		return nil, err
	}
	return &shell{dir: dir, workspace: workspace, environment: environment}, nil
}

// errTimeout reports that a command exceeded its time limit.
var errTimeout = errors.New("the command was killed after its time limit")

// run runs one command and returns its exit code and its standard output and error in the order of
// time. Its background processes keep running until close.
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
	// Use a file, because background processes would keep a pipe open.
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	if err := c.Start(); err != nil {
		return "", 0, fmt.Errorf("bash: %w", err)
	}
	waitErr := c.Wait()
	// Ignore a group that has ended: another process could get its ID before close.
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

func (s *shell) close() {
	for _, group := range s.groups {
		_ = syscall.Kill(-group, syscall.SIGKILL) // fails if the group has ended
	}
}

// environment returns a student's variables: programs come first in PATH, and no proxy is set.
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

var (
	// readCommands are the programs and verbs that only read.
	readCommands = regexp.MustCompile(`\b(curl|openssl s_client|` +
		`kubectl( -\S+( [^-\s]\S*)?)* (get|describe|logs|wait|rollout status|rollout history|exec|explain|events|top|auth can-i)|` +
		`ingresslab (explain|check|status))\b`)
	// writeCommands are the programs and verbs that change something.
	writeCommands = regexp.MustCompile(`\bkubectl( -\S+( [^-\s]\S*)?)* (apply|create|delete|edit|patch|scale|set|label|annotate|expose|` +
		`run|replace|cordon|uncordon|drain|` +
		`taint|cp|autoscale|config|rollout (restart|undo|pause|resume))\b|` +
		`\b(openssl (req|x509|passwd|genrsa|ecparam)|htpasswd|make|ingresslab (up|down|lab|start|run|build|dev|image))\b|\bkill\b|&\s*$`)
)

// isReadOnly reports whether a command only reads, so that it can be retried.
func isReadOnly(command string) bool {
	if strings.Contains(command, "-X POST") || strings.Contains(command, "/crash") {
		return false
	}
	return readCommands.MatchString(command) && !writeCommands.MatchString(command)
}

// asRecorded replaces what is specific to this machine and cluster with the defaults of a lesson:
// default names and ports, and a checkout in the home directory.
func (r *replayer) asRecorded(output string) string {
	output = strings.ReplaceAll(output, "\r\n", "\n")
	output = lesson.WithDefaultPorts(output, r.env.Addresses)
	home, _ := os.UserHomeDir()
	for _, path := range []struct{ own, lesson string }{
		{r.kube, "~/.local/state/ingresslab/" + r.env.Cluster.Provider + "/" + cluster.DefaultName + "/kubeconfig"},
		{r.workspace(), "~/ingresslab/workspace/" + filepath.Base(r.lab.Dir)},
		{r.dir, "~/ingresslab"},
		{r.env.Root, "~/ingresslab"},
		{home, "~"},
	} {
		if len(path.own) > 1 {
			output = strings.ReplaceAll(output, path.own, path.lesson)
		}
	}
	if own := r.env.Cluster.Name; own != cluster.DefaultName && own != "" {
		output = strings.ReplaceAll(output, " --name "+own, "")
		node := regexp.MustCompile(`\b` + regexp.QuoteMeta(own) + `-(control-plane|worker\d*)\b`)
		output = node.ReplaceAllString(output, cluster.DefaultName+"-$1")
	}
	return output
}
