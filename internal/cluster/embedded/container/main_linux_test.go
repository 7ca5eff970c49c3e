package container_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

// toolPath is the path of the containers' program; the environment passes it into the namespaces.
const toolPath = "INGRESSLAB_TEST_TOOL"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == container.ChildCommand {
		fmt.Fprintln(os.Stderr, container.RunChild())
		os.Exit(1) //nolint:forbidigo // main of the tests
	}
	if os.Getenv(toolPath) == "" {
		dir, err := buildTool()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // see above
		}
		// The outer process cleans up.
		code, err := run(dir)
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code) //nolint:forbidigo // see above
	}
	nstest.Main(m)
}

// buildTool compiles the program outside the namespaces, where Go finds its cache.
func buildTool() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "ingresslab-tool-"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "tool"), "./testdata/tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("go build: %w: %s", err, out), os.RemoveAll(dir))
	}
	return dir, nil
}

// run runs the tests in new namespaces.
func run(dir string) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), toolPath+"="+filepath.Join(dir, "tool"))
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// toolImage returns an image with the tool at /bin/tool and some files.
func toolImage(t testing.TB, config v1.Config) *container.Image {
	t.Helper()
	program, err := os.ReadFile(os.Getenv(toolPath))
	if err != nil {
		t.Fatal(err)
	}
	s := container.NewStore(filepath.Join(t.TempDir(), "with : and , in it"))
	imported(t, s, map[string]v1.Image{"tool:1": imageOf(t, config,
		layerOf(t, file{name: "bin/tool", content: string(program)}, file{name: "bin/plain", content: "x", mode: 0o644}),
		layerOf(t, file{name: "etc/passwd", content: "root:x:0:0::/root:/x\ncheese:x:1000:1000::/home/cheese:/x\n", mode: 0o644},
			file{name: "etc/group", content: "root:x:0:\ndairy:x:50:cheese\nmilk:x:60:\n", mode: 0o644},
			file{name: "etc/motd", content: "hello\n", mode: 0o644},
			file{name: "etc/resolv.conf", link: "../run/resolv.conf", kind: '2'}, file{name: "run/"})),
	})
	return found(t, s, "tool:1")
}

var host *container.Host

// runtime is shared by all tests, because it reserves a thread.
func runtimeOf(t testing.TB) *container.Host {
	t.Helper()
	nstest.Require(t)
	if host == nil {
		h, err := container.NewHost()
		if err != nil {
			t.Fatal(err)
		}
		host = h
	}
	return host
}

// spec returns a container that runs the tool.
func spec(t testing.TB, command string) container.Spec {
	t.Helper()
	dir := t.TempDir()
	return container.Spec{
		Name: "web", Dir: filepath.Join(dir, "web"), Image: toolImage(t, v1.Config{}),
		Command: []string{"/bin/tool"}, Args: []string{command},
		Hostname: "pod-1", Log: filepath.Join(dir, "log"),
	}
}

func start(t testing.TB, s container.Spec) container.Container {
	t.Helper()
	c, err := runtimeOf(t).Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Signal(9)
		<-c.Done()
	})
	return c
}

// logOf runs a container to its end and returns the text of its log.
func logOf(t testing.TB, s container.Spec) string {
	t.Helper()
	c := start(t, s)
	<-c.Done()
	return logText(t, s.Log)
}

func logText(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(line, " ", 4)
		if len(parts) != 4 {
			t.Fatalf("invalid log line: %q", line)
		}
		text.WriteString(parts[3])
	}
	return text.String()
}
