package container_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

func TestContainerHasOwnNamespaces(t *testing.T) {
	s := spec(t, "host ; read /etc/motd ; ls /proc ; ls /dev ; fds ; env")
	s.Env = []string{"A=1", "PATH=/bin"}
	got := logOf(t, s)
	for _, want := range []string{
		"host pod-1 pid 1 dir /\n", "hello\n", "\n1\n", "null\n", "ptmx\n", "shm\n",
		"A=1\n", "PATH=/bin\n", "HOSTNAME=pod-1\n", "HOME=/root\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q not found in\n%s", want, got)
		}
	}
	if strings.Contains(got, "error:") || strings.Contains(got, "GOGC") || strings.Contains(got, "inherited") {
		t.Errorf("got\n%s", got)
	}
}

func TestExitOfContainer(t *testing.T) {
	c := start(t, spec(t, "exit 3"))
	<-c.Done()
	if e := c.Exit(); e.Code != 3 || e.Signal != 0 || e.Err != nil || e.Finished.Before(e.Started) {
		t.Errorf("exit 3: %+v", e)
	}
	s := spec(t, "term")
	c = start(t, s)
	waitFor(t, s.Log, "ready")
	if err := c.Signal(c.StopSignal()); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if e := c.Exit(); e.Code != 7 || !strings.Contains(logText(t, s.Log), "terminated") {
		t.Errorf("after SIGTERM: %+v", e)
	}
	s = spec(t, "spawn wait ; wait")
	c = start(t, s)
	waitFor(t, s.Log, "waiting")
	if err := c.Signal(9); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if e := c.Exit(); e.Code != 137 || e.Signal != 9 {
		t.Errorf("after SIGKILL: %+v", e)
	}
	if err := c.Signal(9); err != nil {
		t.Errorf("signal after the end: %v", err)
	}
	if left, _ := os.ReadDir(s.Dir); len(left) > 0 {
		t.Errorf("leftovers: %v", left)
	}
}

func TestStartErrors(t *testing.T) {
	for command, want := range map[string]struct {
		text string
		code int
	}{
		"nope":       {`exec: "nope": executable file not found in $PATH`, 127},
		"/bin/nope":  {`exec: "/bin/nope": stat /bin/nope: no such file or directory`, 127},
		"/bin/plain": {`exec: "/bin/plain": permission denied`, 126},
		"/bin":       {`exec: "/bin": is a directory`, 126},
	} {
		s := spec(t, "")
		s.Command = []string{command}
		_, err := runtimeOf(t).Start(t.Context(), s)
		var execErr *container.ExecError
		if !errors.As(err, &execErr) || err.Error() != want.text || execErr.Code() != want.code {
			t.Errorf("%s: %v, want %s (%d)", command, err, want.text, want.code)
		}
		if left, _ := os.ReadDir(s.Dir); len(left) > 0 {
			t.Errorf("%s: leftovers: %v", command, left)
		}
	}
	s := spec(t, "")
	s.Command, s.Args = nil, nil
	if _, err := runtimeOf(t).Start(t.Context(), s); err == nil || err.Error() != "container web: no command specified" {
		t.Errorf("no command: %v", err)
	}
	s = spec(t, "exit 0")
	s.Mounts = []container.Mount{{Source: "/does/not/exist", Target: "/x"}}
	if _, err := runtimeOf(t).Start(t.Context(), s); err == nil ||
		!strings.Contains(err.Error(), "mount /does/not/exist on /x: no such file") {
		t.Errorf("no source: %v", err)
	}
}

func TestManifestOverridesImageCommand(t *testing.T) {
	image := toolImage(t, v1.Config{
		Entrypoint: []string{"tool", "env", ";", "host", ";"}, Cmd: []string{"echo from the image"},
		Env: []string{"PATH=/bin", "A=image", "B=image"}, WorkingDir: "/made/for it",
	})
	s := spec(t, "")
	s.Image, s.Command, s.Args, s.Env = image, nil, nil, []string{"A=pod"}
	got := logOf(t, s)
	for _, want := range []string{"from the image\n", "A=pod\n", "B=image\n", "dir /made/for it\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q not found in\n%s", want, got)
		}
	}
	s = spec(t, "")
	s.Image, s.Command, s.Args, s.WorkingDir = image, nil, []string{"echo from the pod"}, "/etc"
	if got := logOf(t, s); !strings.Contains(got, "from the pod\n") || strings.Contains(got, "image\"") ||
		!strings.Contains(got, "dir /etc\n") {
		t.Errorf("with other arguments: got\n%s", got)
	}
}

func TestBindMounts(t *testing.T) {
	outside := t.TempDir()
	for name, content := range map[string]string{"dir/f": "in dir", "file": "a file", "resolv": "nameserver 10.96.0.10"} {
		path := filepath.Join(outside, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := spec(t, "read /new/place/f ; echo ; read /etc/motd ; echo ; read /run/resolv.conf ; echo ; "+
		"write /new/place/f x ; write /rw/g x ; write /run/x x ; write /proc/sys/kernel/hostname x")
	s.Mounts = []container.Mount{
		{Source: filepath.Join(outside, "dir"), Target: "/new/place", ReadOnly: true},
		{Source: filepath.Join(outside, "dir"), Target: "/rw"},
		{Source: filepath.Join(outside, "file"), Target: "/etc/motd", ReadOnly: true},
		{Source: filepath.Join(outside, "resolv"), Target: "/etc/resolv.conf"},
	}
	got := logOf(t, s)
	want := "in dir\na file\nnameserver 10.96.0.10\nerror: open /new/place/f: read-only file system\n" +
		"error: open /proc/sys/kernel/hostname: read-only file system\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "dir/g")); err != nil || string(data) != "x" {
		t.Errorf("written file: %q (%v)", data, err)
	}
}

// A container can replace part of a volume's path with a symbolic link before the mount.
func TestMountsStayInVolume(t *testing.T) {
	volume, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(volume, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(volume, "data", "f"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	up, err := filepath.Rel(volume, outside)
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "data", "absolute": outside, "relative": up} {
		if err := os.Symlink(to, filepath.Join(volume, name)); err != nil {
			t.Fatal(err)
		}
	}
	for source, want := range map[string]string{"data": "inside", "link": "inside", "absolute": "", "relative": "", "absolute/secret": ""} {
		s := spec(t, "read /x/f")
		s.Mounts = []container.Mount{{Source: filepath.Join(volume, source), Target: "/x", Within: volume}}
		if want != "" {
			if got := logOf(t, s); got != want+"\n" { // the log terminates every line
				t.Errorf("%s: got %q", source, got)
			}
			continue
		}
		if _, err := runtimeOf(t).Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "the path leaves its volume") {
			t.Errorf("%s: %v", source, err)
		}
	}
	s := spec(t, "ls /x")
	s.Mounts = []container.Mount{{Source: volume, Target: "/x", Within: volume}}
	if got := logOf(t, s); got != "absolute\ndata\nlink\nrelative\n" {
		t.Errorf("volume: %q", got)
	}
}

func TestReadOnlyRootDirectory(t *testing.T) {
	s := spec(t, "write /f x ; write /scratch/f x ; read /scratch/f")
	s.ReadOnly = true
	s.Mounts = []container.Mount{{Source: t.TempDir(), Target: "/scratch"}}
	if got := logOf(t, s); got != "error: open /f: read-only file system\nx\n" {
		t.Errorf("got\n%s", got)
	}
}

func TestContainersDoNotChangeImage(t *testing.T) {
	s := spec(t, "write /etc/motd changed ; write /bin/plain changed ; read /etc/motd")
	if got := logOf(t, s); got != "changed\n" {
		t.Errorf("got\n%s", got)
	}
	next := spec(t, "read /etc/motd")
	next.Image = s.Image
	if got := logOf(t, next); got != "hello\n" {
		t.Errorf("next container: got\n%s", got)
	}
}

func TestContainerHasNoOtherPrivileges(t *testing.T) {
	got := logOf(t, spec(t, "mount /tmp ; mknod /tmp/null ; status NoNewPrivs ; status CapBnd"))
	want := "error: operation not permitted\nerror: operation not permitted\nNoNewPrivs: 1\n"
	bounding, ok := strings.CutPrefix(got, want)
	if !ok || !strings.HasPrefix(bounding, "CapBnd: 00000000a00425fb") {
		t.Errorf("got\n%s", got)
	}
}

func TestUserOfContainer(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		image       string
		user, group *int64
		groups      []int64
		want        string
	}{
		{"", nil, nil, nil, "user 0 group 0 groups [] home /root"},
		{"cheese", nil, nil, nil, "user 1000 group 1000 groups [50] home /home/cheese"},
		{"cheese:milk", nil, nil, nil, "user 1000 group 60 groups [] home /home/cheese"},
		{"65532:65532", nil, nil, nil, "user 65532 group 65532 groups [] home /"},
		{"65532:65532", number(1000), nil, nil, "user 1000 group 1000 groups [50] home /home/cheese"},
		{"65532:65532", number(7), number(8), nil, "user 7 group 8 groups [] home /"},
		{"cheese", nil, nil, []int64{70, 80}, "user 1000 group 1000 groups [50 70 80] home /home/cheese"},
		{"", nil, number(8), nil, "user 0 group 8 groups [] home /root"},
	} {
		s := spec(t, "whoami ; reopen ; listen 127.0.0.1:80")
		s.Image = toolImage(t, v1.Config{User: c.image})
		s.User, s.Group, s.Groups = c.user, c.group, c.groups
		s.Network = privateNetwork(t)
		got := logOf(t, s)
		if oneUser(t) { // all users are the same
			c.want = "user 0 group 0 groups ["
		}
		if !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, "\nreopened\nlistening 127.0.0.1:80\n") {
			t.Errorf("user %q: it message\n%s\nwant %s", c.image, got, c.want)
		}
	}
	s := spec(t, "")
	s.Image = toolImage(t, v1.Config{User: "no-such-user"})
	if _, err := runtimeOf(t).Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), `user "no-such-user"`) {
		t.Errorf("unknown user: %v", err)
	}
}
