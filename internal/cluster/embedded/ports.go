package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// doors are the listeners of a cluster on this machine, for the supervisor to inherit. They are held from the moment that
// their ports are chosen, so that nobody else takes one meanwhile.
type doors struct {
	api net.Listener
	// entries are those for HTTP, HTTPS and the status page.
	entries [3]net.Listener
}

func (d *doors) close() {
	for _, l := range append([]net.Listener{d.api}, d.entries[:]...) {
		if l != nil {
			_ = l.Close() // the supervisor has its own
		}
	}
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// open chooses the ports of a new cluster and writes them into its record. A port that somebody named has to be free; in
// place of a default that is taken, another is found.
func (p *Provider) open(ctx context.Context, spec cluster.Spec, rec *record, progress cluster.Progress) (*doors, error) {
	d := &doors{}
	err := p.openEntries(ctx, spec, d, progress)
	if err == nil {
		d.api, err = listen(ctx, 0)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	rec.APIPort = port(d.api)
	rec.HTTPPort, rec.HTTPSPort, rec.StatusPort = port(d.entries[0]), port(d.entries[1]), port(d.entries[2])
	return d, nil
}

func (p *Provider) openEntries(ctx context.Context, spec cluster.Spec, d *doors, progress cluster.Progress) error {
	// Ports that were named come first: a port picked freely must not be one of them.
	for i, wish := range spec.Ports() {
		if wish.Want <= 0 {
			continue
		}
		var err error
		if d.entries[i], err = p.named(ctx, wish.Want, wish.Flag); err != nil {
			return err
		}
	}
	for i, wish := range spec.Ports() {
		if wish.Want > 0 {
			continue
		}
		var err error
		if wish.Want == 0 {
			if d.entries[i], err = listen(ctx, wish.Default); err == nil {
				continue
			}
		}
		if d.entries[i], err = listen(ctx, 0); err != nil {
			return fmt.Errorf("find a free port on %s: %w", loopback, err)
		}
		if wish.Want == 0 {
			taken := &cluster.PortTakenError{Port: wish.Default, Holder: p.holder(wish.Default)}
			progress.Note(fmt.Sprintf("%s; %s is %d instead", taken.Fact(), wish.Flag, port(d.entries[i])))
		}
	}
	return nil
}

// reopen opens the ports that a stopped cluster had.
func (p *Provider) reopen(ctx context.Context, rec *record, progress cluster.Progress) (_ *doors, err error) {
	d := &doors{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for i, wish := range (cluster.Spec{}).Ports() {
		if d.entries[i], err = p.named(ctx, rec.ports()[i], wish.Flag); err != nil {
			return nil, err
		}
	}
	if d.api, err = listen(ctx, rec.APIPort); err == nil {
		return d, nil
	}
	if d.api, err = listen(ctx, 0); err != nil {
		return nil, fmt.Errorf("find a free port on %s: %w", loopback, err)
	}
	progress.Note(fmt.Sprintf("the API server moves from port %d, which is taken, to %d", rec.APIPort, port(d.api)))
	rec.APIPort = port(d.api)
	return d, nil
}

// named opens a port that has to be this one.
func (p *Provider) named(ctx context.Context, port int, flag string) (net.Listener, error) {
	l, err := listen(ctx, port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &cluster.PortTakenError{Port: port, Flag: flag, Holder: p.holder(port)}
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: port %d is for root alone here (net.ipv4.ip_unprivileged_port_start): %w", flag, port, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
}

// holder says who has a port, or nothing if that cannot be known.
func (p *Provider) holder(port int) string {
	names, err := p.store.Names()
	if err != nil {
		return cluster.PortProcess(port)
	}
	for _, name := range names {
		c, err := p.examine(name)
		if err != nil || c.state != cluster.Running {
			continue
		}
		for _, theirs := range append([]int{c.record.APIPort}, c.record.HTTPPort, c.record.HTTPSPort, c.record.StatusPort) {
			if theirs == port {
				return fmt.Sprintf("the embedded cluster %q", name)
			}
		}
	}
	return cluster.PortProcess(port)
}
