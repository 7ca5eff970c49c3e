package kind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// choosePorts turns the wishes for a new cluster into ports that are free at
// this moment. Docker would find a port taken only after it has created the
// container, and say it less well.
func (p *Provider) choosePorts(ctx context.Context, spec cluster.Spec) ([3]int, error) {
	var ports [3]int
	var held []net.Listener // so that a free port is not picked twice
	defer func() {
		for _, l := range held {
			_ = l.Close() // a listener nobody connected to
		}
	}()
	// Ports that were named come first: a port picked freely must not be one of
	// them.
	for i, wish := range spec.Ports() {
		if wish.Want == cluster.AnyPort {
			continue
		}
		ports[i] = wish.Want
		if wish.Want == 0 {
			ports[i] = wish.Default
		}
		l, err := p.reserve(ctx, ports[i], wish.Flag)
		if err != nil {
			return ports, err
		}
		if l != nil {
			held = append(held, l)
		}
	}
	for i, wish := range spec.Ports() {
		if wish.Want != cluster.AnyPort {
			continue
		}
		l, err := listen(ctx, 0)
		if err != nil {
			return ports, fmt.Errorf("find a free port on %s: %w", loopback, err)
		}
		held = append(held, l)
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// reserve listens on a port to see that it is free. A port that only root may
// listen on is free if nobody answers on it: the engine, which will listen, is
// root. Then there is no listener to return.
func (p *Provider) reserve(ctx context.Context, port int, flag string) (net.Listener, error) {
	l, err := listen(ctx, port)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) && !answers(ctx, port) {
		return nil, nil
	}
	return nil, &cluster.PortTakenError{Port: port, Flag: flag, Holder: p.holder(ctx, port)}
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
}

func answers(ctx context.Context, port int) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// holder says who has a port, or nothing if that cannot be known.
func (p *Provider) holder(ctx context.Context, port int) string {
	c, found, err := p.engine.publisher(ctx, port)
	switch {
	case err != nil || !found:
		return cluster.PortProcess(port)
	case c.cluster == "":
		return fmt.Sprintf("container %q", c.name)
	}
	rec, err := p.store.Load(c.cluster)
	if err == nil && rec == nil {
		rec, err = p.adopt(ctx, c.cluster, []container{c})
	}
	if err == nil && rec != nil {
		return fmt.Sprintf("the ingresslab cluster %q", c.cluster)
	}
	return fmt.Sprintf("the kind cluster %q", c.cluster)
}
