package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Host is a Runtime of processes on this machine. Of its containers, nothing outlives the program it is part of.
//
// It needs Linux 5.12 or newer, and the right to administer the user namespace it runs in.
type Host struct {
	starter *starter
	leases  leases
	// oneUser says that there is nobody else to become in this user namespace, nested that it is not the machine's first.
	oneUser, nested bool
}

var _ Runtime = (*Host)(nil)

// NewHost returns a runtime. It keeps one thread of the program to itself, for good.
func NewHost() (*Host, error) {
	oneUser, nested, err := users()
	if err != nil {
		return nil, fmt.Errorf("container runtime: %w", err)
	}
	s, err := newStarter()
	if err != nil {
		return nil, fmt.Errorf("container runtime: %w", err)
	}
	return &Host{starter: s, oneUser: oneUser, nested: nested}, nil
}

// users reads what users there are in this user namespace; see user_namespaces(7).
func users() (one, nested bool, err error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false, false, err
	}
	const everybody = "4294967295"
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return false, false, errors.New("/proc/self/uid_map: no users are mapped into this user namespace")
	}
	return len(fields) == 3 && fields[2] == "1", len(fields) != 3 || fields[2] != everybody, nil
}

// Start implements Runtime. When ctx ends before the program runs, there is no container; later it has no meaning.
func (h *Host) Start(ctx context.Context, s Spec) (Container, error) {
	c, err := h.start(ctx, s)
	if err == nil {
		return c, nil
	}
	var execErr *ExecError
	if errors.As(err, &execErr) {
		return nil, execErr
	}
	return nil, fmt.Errorf("container %s: %w", s.Name, err)
}

func (h *Host) start(ctx context.Context, s Spec) (_ *instance, err error) {
	o, err := h.orderFor(s)
	if err != nil {
		return nil, err
	}
	release, err := h.leases.take(o.Layers)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", s.Image.Ref, err)
	}
	c := newInstance(h, s, o, release)
	defer func() {
		if err != nil {
			c.discard()
		}
	}()
	if err := makeDirs(o.Dir); err != nil {
		return nil, err
	}
	if err := c.openLog(s.Log); err != nil {
		return nil, err
	}
	if err := c.launch(ctx, s); err != nil {
		return nil, err
	}
	return c, nil
}

// makeDirs makes what the child mounts into. Their modes show in the container.
func makeDirs(dir string) error {
	for _, d := range []string{rootDir, upperDir, workDir} {
		path := filepath.Join(dir, d)
		if err := os.MkdirAll(path, 0o755); err != nil { //nolint:gosec // as images have them
			return err
		}
		if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // whatever the umask
			return err
		}
	}
	return nil
}

// orderFor says what the child has to do for a container.
func (h *Host) orderFor(s Spec) (*order, error) {
	command := commandOf(s)
	if len(command) == 0 {
		return nil, errors.New("no command specified")
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, err
	}
	workingDir := s.WorkingDir
	if workingDir == "" {
		workingDir = s.Image.WorkingDir
	}
	return &order{
		Command: command, Env: environment(s), WorkingDir: filepath.Join("/", workingDir), User: userOf(s), Groups: s.Groups, TTY: s.TTY,
		OneUser: h.oneUser, Nested: h.nested,
		Dir: dir, Layers: s.Image.Layers, Hostname: s.Hostname, Mounts: s.Mounts, ReadOnly: s.ReadOnly,
		OwnNetwork: s.Network > 0,
	}, nil
}

// commandOf follows the table in
// https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/#notes: a command of the
// manifest leaves nothing of the image's, arguments of the manifest replace the image's.
func commandOf(s Spec) []string {
	entrypoint, args := s.Image.Entrypoint, s.Image.Cmd
	if len(s.Command) > 0 {
		entrypoint, args = s.Command, nil
	}
	if len(s.Args) > 0 {
		args = s.Args
	}
	return append(append([]string(nil), entrypoint...), args...)
}

// userOf is who the program runs as, "user:group". A user of the manifest goes without the image's group, as with other
// runtimes.
func userOf(s Spec) string {
	user, group, _ := strings.Cut(s.Image.User, ":")
	if s.User != nil {
		user, group = strconv.FormatInt(*s.User, 10), ""
	}
	if s.Group != nil {
		group = strconv.FormatInt(*s.Group, 10)
	}
	if group == "" {
		return user
	}
	if user == "" {
		user = "0"
	}
	return user + ":" + group
}

// environment is what the program gets: the manifest's over the image's over that of every container. The last of a name
// counts.
func environment(s Spec) []string {
	all := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if s.Hostname != "" {
		all = append(all, "HOSTNAME="+s.Hostname)
	}
	if s.TTY {
		all = append(all, "TERM=xterm")
	}
	all = append(append(all, s.Image.Env...), s.Env...)
	place := map[string]int{}
	var env []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := place[name]; ok {
			env[i] = kv
			continue
		}
		place[name] = len(env)
		env = append(env, kv)
	}
	return env
}
