//go:build e2e && linux

package embedded

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// child is a process that brings up a cluster, with its output.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, stateDir, keep string) *child {
	t.Helper()
	of := kubeBin(t)
	cmd := exec.Command(os.Args[0], "bring-up", stateDir, of.Dir, of.Version, keep)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, bufio.NewScanner(out)}
	t.Cleanup(c.kill)
	return c
}

// await reads the output until a line with this prefix.
func (c *child) await(t *testing.T, prefix string) string {
	t.Helper()
	for c.lines.Scan() {
		t.Log(c.lines.Text())
		if strings.HasPrefix(c.lines.Text(), prefix) {
			return c.lines.Text()
		}
	}
	t.Fatalf("the child exited before %q", prefix)
	return ""
}

func (c *child) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL) // it may have exited
	_ = c.cmd.Wait()
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	for _, moment := range moments {
		t.Run(moment.step+"+"+moment.after.String(), func(t *testing.T) {
			p := newProvider(t)
			c := startChild(t, p.Dir, "")
			c.await(t, "step: "+moment.step)
			<-time.After(moment.after) // the test is about this moment
			c.kill()
			assertNothingLeft(t, p.Dir)
		})
	}
	t.Run("before Keep", func(t *testing.T) {
		p := newProvider(t)
		c := startChild(t, p.Dir, "")
		if line := c.await(t, "up:"); line != "up: <nil>" {
			t.Fatal(line)
		}
		ports := portsOf(t, p, "test")
		c.kill()
		assertNothingLeft(t, p.Dir, ports...)
	})
}

func TestKeptClusterOutlivesProcess(t *testing.T) {
	p := newProvider(t)
	c := startChild(t, p.Dir, "keep")
	if line := c.await(t, "up:"); line != "up: <nil>" {
		t.Fatal(line)
	}
	c.kill()
	if _, err := p.Get(t.Context(), "test"); err != nil {
		t.Error(err)
	}
	if err := p.Down(t.Context(), "test", cluster.Quiet{}); err != nil {
		t.Error(err)
	}
	assertNothingLeft(t, p.Dir)
}

// unprivileged is the ID of a user without permissions.
const unprivileged = 65534

func TestWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("all tests of this run are without root")
	}
	home := t.TempDir()
	if err := os.Chown(home, unprivileged, unprivileged); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if out, err := exec.Command("cp", "-L", filepath.Join(kubeBin(t).Dir, name), bin).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if out, err := exec.Command("cp", os.Args[0], filepath.Join(bin, "tests")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for dir := bin; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "tests"), "-test.v",
		"-test.run=TestClusterLifecycle|TestCancelLeavesNothing/Starting_the_nodes|TestKilledProcessLeavesNothing/before")
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH"), "INGRESSLAB_KUBE_BIN=" + bin}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
