package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

// labPlace is the cluster in which a lab is done at the moment. It is safe for concurrent use.
type labPlace struct {
	mu      sync.Mutex
	cluster *cluster.Cluster
	env     lab.Env
	current *lab.Session
}

func (p *labPlace) set(c *cluster.Cluster, env lab.Env, s *lab.Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cluster, p.env, p.current = c, env, s
}

func (p *labPlace) session() *lab.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *labPlace) kube() scenario.Kube {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.env.Kube
}

// text says which cluster it is and on which ports it listens.
func (p *labPlace) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cluster
	text := fmt.Sprintf("%s (%s)", c.Name, c.Provider)
	for _, at := range []struct{ what, address string }{{"http", c.Addresses.HTTP}, {"https", c.Addresses.HTTPS}, {"status", c.Addresses.Status}} {
		if _, port, err := net.SplitHostPort(at.address); err == nil {
			text += fmt.Sprintf("  %s %s", at.what, port)
		}
	}
	return text
}

// up brings up the cluster and returns the lab's session in it.
func (t *tutoring) up(ctx context.Context) (tutor.Session, error) {
	t.command.SetContext(ctx)
	c, err := t.bringUp(t.command, &t.flags.spec)
	if err != nil {
		return nil, err
	}
	if err := c.UseNamespace(t.lab.Namespace); err != nil {
		return nil, err
	}
	if err := t.stay(c); err != nil {
		return nil, err
	}
	env, err := t.labEnv(c)
	if err != nil {
		return nil, err
	}
	s := lab.NewSession(t.lab, env)
	t.where.set(c, env, s)
	return s, nil
}

// stay makes a cluster that is brought up again the same as this one: made with the same, on the same ports, which the lesson
// on the screen names.
func (t *tutoring) stay(c *cluster.Cluster) error {
	t.provider = c.Provider
	if c.Lent != nil {
		return nil
	}
	for flag, address := range map[string]string{
		"http-port": c.Addresses.HTTP, "https-port": c.Addresses.HTTPS, "status-port": c.Addresses.Status,
	} {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("address of the cluster: %w", err)
		}
		if err := t.command.Flags().Set(flag, port); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return nil
}

// gone returns why the cluster is not there anymore, and nil if it is or that cannot be said. It prints nothing.
func (t *tutoring) gone(ctx context.Context) error {
	none := &cluster.NotFoundError{Name: t.name}
	owners, err := t.owners(ctx)
	switch {
	case err != nil:
		return nil
	case len(owners) == 0:
		return none
	}
	_, err = owners[0].Provider.Get(ctx, t.name)
	if errors.As(err, &none) {
		return none
	}
	return nil
}

// course is the lesson with the ports of this cluster, and with a first screen that says how to work beside the tutor.
func (t *tutoring) course(text *lesson.Lesson) tutor.Course {
	c := tutor.Course{Lab: t.lab}
	for i, s := range text.All() {
		screen := tutor.Page{Title: s.Title, Text: lesson.WithPorts(s.Markdown, t.where.cluster.Addresses), Tasks: s.Tasks}
		if i == 0 {
			screen.Title = "Before you begin"
			screen.Text = strings.TrimRight(screen.Text, "\n") + "\n\n" + t.besides()
		}
		c.Pages = append(c.Pages, screen)
	}
	return c
}

// besides says how to work in another terminal.
func (t *tutoring) besides() string {
	dir, err := filepath.Abs(t.space.Path)
	if err != nil {
		dir = t.space.Path
	}
	kubectl := ""
	if _, err := exec.LookPath("kubectl"); err != nil {
		kubectl = "There is no kubectl in your PATH: `make kubectl` puts one into `bin/`.\n\n"
		if own, err := filepath.Abs(filepath.Join(t.root, "bin")); err == nil {
			if _, err := os.Stat(filepath.Join(own, "kubectl")); err == nil {
				kubectl = "There is no kubectl in your PATH, but one in " + own + ".\n\n"
			}
		}
	}
	program := ""
	if line := programLine(); line != "" {
		program = "$ " + line + "\n"
	}
	return fmt.Sprintf("**Your part** happens in another terminal, where kubectl knows this cluster and works in namespace %s:\n\n"+
		"```console\n$ cd %s\n$ %s\n%s```\n\n%sTasks are ticked off here as they come true.\n",
		t.lab.Namespace, shellQuote(dir), exportLine(t.where.cluster), program, kubectl)
}

// programLine makes a shell find "ingresslab", as lessons call it; empty if it is in PATH, or this program is called otherwise.
func programLine() string {
	own, err := os.Executable()
	if err != nil || filepath.Base(own) != "ingresslab" {
		return ""
	}
	if _, err := exec.LookPath("ingresslab"); err == nil {
		return ""
	}
	return "export PATH=" + shellQuote(filepath.Dir(own)) + ":$PATH"
}
