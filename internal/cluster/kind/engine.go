package kind

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// These are labels that kind sets on the containers of nodes.
const (
	clusterLabel = "io.x-k8s.kind.cluster"
	roleLabel    = "io.x-k8s.kind.role"
)

type container struct {
	name    string
	cluster string // the name of its kind cluster, or empty for other containers
	role    string // "control-plane" or "worker"
	state   string // in Docker's words: created, running, paused, exited, dead, ...
}

// engine has the operations of Docker that the provider needs in addition to kind.
type engine interface {
	// check returns nil if an engine responds that kind can use, or else a *cluster.NoEngineError.
	check(ctx context.Context) error
	// cgroupV1 reports whether the engine's machine uses cgroup v1.
	cgroupV1(ctx context.Context) (bool, error)
	// nodes returns the containers of a kind cluster, or of all clusters if the name is empty.
	nodes(ctx context.Context, clusterName string) ([]container, error)
	// publisher returns the running container that publishes a port of the host, if there is one.
	publisher(ctx context.Context, port int) (container, bool, error)
	// published returns the published ports of a container, as a map to ports of the host.
	published(ctx context.Context, name string) (map[int]int, error)
	// startedAt returns the time of each container's last start.
	startedAt(ctx context.Context, names ...string) (map[string]time.Time, error)
	start(ctx context.Context, names ...string) error
	// remove stops and removes containers and their volumes. It ignores missing containers.
	remove(ctx context.Context, names ...string) error
	// network reports whether a network exists, and counts its containers, including stopped ones.
	network(ctx context.Context, name string) (exists bool, users int, err error)
	removeNetwork(ctx context.Context, name string) error
}

// docker is the docker command, which finds the daemon by DOCKER_HOST and its contexts.
type docker struct{}

// run uses a separate process group, because Ctrl-C must not stop commands that clean up.
func (docker) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx) // err only says that the command was killed
	}
	if err != nil {
		return stdout.String(), &dockerError{args: args, output: stderr.String(), err: err}
	}
	return stdout.String(), nil
}

type dockerError struct {
	args   []string
	output string
	err    error
}

func (e *dockerError) Error() string {
	return fmt.Sprintf("docker %s: %s", e.args[0], cmp.Or(firstLine(e.output), e.err.Error()))
}

func (e *dockerError) Unwrap() error { return e.err }

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}

func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' })
}

// answerTimeout limits the wait for an engine, because it can accept a connection and not respond.
const answerTimeout = 10 * time.Second

func (d docker) check(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := d.run(within, "version", "--format", "{{.Client.Version}} {{.Server.Version}}")
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case within.Err() != nil:
		return &cluster.NoEngineError{Cause: fmt.Errorf("no response within %s", answerTimeout)}
	case errors.Is(err, exec.ErrNotFound):
		return &cluster.NoEngineError{Cause: errors.New("docker command not found")}
	case err != nil:
		var de *dockerError
		errors.As(err, &de)
		return &cluster.NoEngineError{Cause: errors.New(strings.TrimSuffix(firstLine(de.output), "."))}
	case len(strings.Fields(out)) < 2:
		return &cluster.NoEngineError{Cause: errors.New("the docker command is not Docker's; Podman cannot run the nodes")}
	}
	return nil
}

func (d docker) cgroupV1(ctx context.Context) (bool, error) {
	out, err := d.run(ctx, "info", "--format", "{{.CgroupVersion}}")
	if err != nil {
		return false, err
	}
	return strings.TrimSpace(out) == "1", nil
}

// nodeFormat is the output format of docker ps that parseContainers reads.
const nodeFormat = `{{.Names}}|{{.Label "` + clusterLabel + `"}}|{{.Label "` + roleLabel + `"}}|{{.State}}`

func (d docker) nodes(ctx context.Context, clusterName string) ([]container, error) {
	filter := "label=" + clusterLabel
	if clusterName != "" {
		filter += "=" + clusterName
	}
	out, err := d.run(ctx, "ps", "--all", "--filter", filter, "--format", nodeFormat)
	if err != nil {
		return nil, err
	}
	return parseContainers(out), nil
}

func parseContainers(out string) []container {
	var found []container
	for _, line := range lines(out) {
		f := strings.Split(line, "|")
		if len(f) == 4 {
			found = append(found, container{name: f[0], cluster: f[1], role: f[2], state: f[3]})
		}
	}
	return found
}

func (d docker) publisher(ctx context.Context, port int) (container, bool, error) {
	out, err := d.run(ctx, "ps", "--filter", fmt.Sprintf("publish=%d", port), "--format", nodeFormat)
	if err != nil {
		return container{}, false, err
	}
	found := parseContainers(out)
	if len(found) == 0 {
		return container{}, false, nil
	}
	return found[0], true, nil
}

func (d docker) published(ctx context.Context, name string) (map[int]int, error) {
	const format = `{{range $p, $bs := .HostConfig.PortBindings}}{{range $bs}}{{$p}} {{.HostPort}}{{"\n"}}{{end}}{{end}}`
	out, err := d.run(ctx, "inspect", "--type=container", "--format", format, name)
	if err != nil {
		return nil, err
	}
	ports := map[int]int{}
	for _, line := range lines(out) {
		var inside, outside int
		if _, err := fmt.Sscanf(line, "%d/tcp %d", &inside, &outside); err == nil {
			ports[inside] = outside
		}
	}
	return ports, nil
}

func (d docker) startedAt(ctx context.Context, names ...string) (map[string]time.Time, error) {
	out, err := d.run(ctx, append([]string{"inspect", "--type=container", "--format", "{{.Name}} {{.State.StartedAt}}"}, names...)...)
	if err != nil {
		return nil, err
	}
	started := map[string]time.Time{}
	for _, line := range lines(out) {
		name, text, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
		at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("docker inspect: start of container %s: %w", name, err)
		}
		started[name] = at
	}
	return started, nil
}

func (d docker) start(ctx context.Context, names ...string) error {
	_, err := d.run(ctx, append([]string{"start"}, names...)...)
	return err
}

func (d docker) remove(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := d.run(ctx, append([]string{"rm", "--force", "--volumes"}, names...)...)
	if de, ok := errors.AsType[*dockerError](err); ok && onlyGone(de.output) {
		return nil
	}
	return err
}

// onlyGone reports whether all failures concern containers that are missing or being removed.
func onlyGone(output string) bool {
	failures := lines(output)
	for _, line := range failures {
		if !strings.Contains(line, "No such container") && !strings.Contains(line, "already in progress") {
			return false
		}
	}
	return len(failures) > 0
}

func (d docker) network(ctx context.Context, name string) (exists bool, users int, err error) {
	out, err := d.run(ctx, "network", "ls", "--filter", "name=^"+name+"$", "--format", "{{.Name}}")
	if err != nil || len(lines(out)) == 0 {
		return false, 0, err
	}
	out, err = d.run(ctx, "ps", "--all", "--quiet", "--filter", "network="+name)
	return true, len(lines(out)), err
}

func (d docker) removeNetwork(ctx context.Context, name string) error {
	_, err := d.run(ctx, "network", "rm", name)
	return err
}
