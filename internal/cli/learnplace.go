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

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

// labPlace is the cluster of a lab, with the lab's session in it.
type labPlace struct {
	cluster *cluster.Cluster
	env     lab.Env
	session *lab.Session
}

// text returns the name, provider, and ports of the cluster.
func (p *labPlace) text() string {
	c := p.cluster
	text := fmt.Sprintf("%s (%s)", c.Name, c.Provider)
	for _, at := range []struct{ what, address string }{
		{"http", c.Addresses.HTTP}, {"https", c.Addresses.HTTPS}, {"status", c.Addresses.Status},
	} {
		if _, port, err := net.SplitHostPort(at.address); err == nil {
			text += fmt.Sprintf("  %s %s", at.what, port)
		}
	}
	return text
}

// up starts the cluster and returns the lab's session in it.
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
	p := &labPlace{c, env, lab.NewSession(t.lab, env)}
	t.where.Store(p)
	return p.session, nil
}

// stay sets the flags so that a restored cluster has the same provider and ports, which the lesson shows.
func (t *tutoring) stay(c *cluster.Cluster) error {
	t.provider = c.Provider
	if c.Forward != "" {
		return nil // its ports are not the cluster's
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

// gone returns an error if the cluster no longer exists, and nil if it exists or its state is unknown. It prints nothing.
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

// course returns the lesson with the cluster's ports. The first page describes how to work in a second terminal.
func (t *tutoring) course(text *lesson.Lesson) tutor.Course {
	c := tutor.Course{Lab: t.lab}
	for i, s := range text.All() {
		page := tutor.Page{Title: s.Title, Text: lesson.WithPorts(s.Markdown, t.where.Load().cluster.Addresses), Tasks: s.Tasks}
		if i == 0 {
			page.Title = "Before you begin"
			page.Text = strings.TrimRight(page.Text, "\n") + "\n\n" + t.secondTerminal()
		}
		c.Pages = append(c.Pages, page)
	}
	return c
}

// secondTerminal describes how to work in a second terminal.
func (t *tutoring) secondTerminal() string {
	dir, err := filepath.Abs(t.space.Path)
	if err != nil {
		dir = t.space.Path
	}
	kubectl := ""
	if _, err := exec.LookPath("kubectl"); err != nil {
		kubectl = "kubectl is not in your PATH. To compile it into `bin/`, run `make kubectl`.\n\n"
		if own, err := filepath.Abs(filepath.Join(t.root, "bin")); err == nil {
			if _, err := os.Stat(filepath.Join(own, "kubectl")); err == nil {
				kubectl = "kubectl is not in your PATH, but in `" + own + "`.\n\n"
			}
		}
	}
	program := ""
	if line := programLine(); line != "" {
		program = "$ " + line + "\n"
	}
	return fmt.Sprintf("**Work in a second terminal.** These commands point kubectl at this cluster, in namespace %s:\n\n"+
		"```console\n$ cd %s\n$ %s\n%s```\n\n%sThe tutor marks each task as done when its check passes.\n",
		t.lab.Namespace, shellQuote(dir), exportLine(t.where.Load().cluster), program, kubectl)
}

// programLine returns a shell command that adds ingresslab to PATH. It is empty if PATH has it, or the program has another name.
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
