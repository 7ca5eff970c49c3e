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

// child is a program that brings up a cluster, with what it prints.
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

// await reads what the child prints until a line that begins so.
func (c *child) await(t *testing.T, prefix string) string {
	t.Helper()
	for c.lines.Scan() {
		t.Log(c.lines.Text())
		if strings.HasPrefix(c.lines.Text(), prefix) {
			return c.lines.Text()
		}
	}
	t.Fatalf("the child ended before %q", prefix)
	return ""
}

func (c *child) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL) // it may have been killed already
	_ = c.cmd.Wait()
}

func TestAProgramThatIsKilledLeavesNothing(t *testing.T) {
	for _, moment := range moments {
		t.Run(moment.step+"+"+moment.after.String(), func(t *testing.T) {
			p := provider(t)
			c := startChild(t, p.store.Dir, "")
			c.await(t, "step: "+moment.step)
			<-time.After(moment.after) // the moment itself is what is tried
			c.kill()
			assertNothingLeft(t, p.store.Dir)
		})
	}
	t.Run("before it has kept the cluster", func(t *testing.T) {
		p := provider(t)
		c := startChild(t, p.store.Dir, "")
		if line := c.await(t, "up:"); line != "up: <nil>" {
			t.Fatal(line)
		}
		ports := portsOf(t, p, "test")
		c.kill()
		assertNothingLeft(t, p.store.Dir, ports...)
	})
}

func TestAClusterThatIsKeptOutlivesItsMaker(t *testing.T) {
	p := provider(t)
	c := startChild(t, p.store.Dir, "keep")
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
	assertNothingLeft(t, p.store.Dir)
}

// nobody is a user without rights.
const nobody = 65534

func TestWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("every test of this run is without root")
	}
	home := t.TempDir()
	if err := os.Chown(home, nobody, nobody); err != nil {
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
		"-test.run=TestLifeOfACluster|TestCancelLeavesNothing/Starting_the_nodes|TestAProgramThatIsKilledLeavesNothing/before")
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH"), "INGRESSLAB_KUBE_BIN=" + bin}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
