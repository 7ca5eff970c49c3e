package embedded

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// listeners are the open ports of a cluster. The supervisor inherits them, so they stay in use.
type listeners struct {
	api net.Listener
	// mappings are the port mappings for HTTP, HTTPS, and the status page.
	mappings cluster.Listeners
}

func (l *listeners) all() []net.Listener { return append([]net.Listener{l.api}, l.mappings[:]...) }

// close closes this process's copies.
func (l *listeners) close() {
	l.mappings.Close()
	if l.api != nil {
		_ = l.api.Close() // the supervisor has its own copy
	}
}

func (p *provider) opener(ctx context.Context, progress cluster.Progress) cluster.PortOpener {
	return cluster.PortOpener{Fallback: true, Progress: progress, Holder: func(port int) string { return p.holder(ctx, port) }}
}

// open chooses the ports of a new cluster. It replaces a default port in use with a free port.
func (p *provider) open(ctx context.Context, spec cluster.Spec, rec *record, progress cluster.Progress) (*listeners, error) {
	ports, mappings, err := p.opener(ctx, progress).Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	l := &listeners{mappings: mappings}
	if l.api, err = cluster.Listen(ctx, 0); err != nil {
		l.close()
		return nil, err
	}
	rec.APIPort = cluster.PortOf(l.api)
	rec.SetPorts(ports)
	return l, nil
}

// reopen opens the ports of a stopped cluster. The API server moves to a free port if necessary.
func (p *provider) reopen(ctx context.Context, rec *record, progress cluster.Progress) (*listeners, error) {
	spec := cluster.Spec{HTTPPort: rec.HTTPPort, HTTPSPort: rec.HTTPSPort, StatusPort: rec.StatusPort}
	_, mappings, err := p.opener(ctx, progress).Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	l := &listeners{mappings: mappings}
	if l.api, err = cluster.Listen(ctx, rec.APIPort); err == nil {
		return l, nil
	}
	if l.api, err = cluster.Listen(ctx, 0); err != nil {
		l.close()
		return nil, err
	}
	progress.Note(fmt.Sprintf("port %d is in use; the API server moves to port %d", rec.APIPort, cluster.PortOf(l.api)))
	rec.APIPort = cluster.PortOf(l.api)
	return l, nil
}

// holder describes the cluster or process that uses a port. It returns "" if that is unknown.
func (p *provider) holder(ctx context.Context, port int) string {
	names, _ := p.Names() // without names, holder finds only processes
	for _, name := range names {
		c, err := p.Inspect(ctx, name)
		if err != nil || c.State != cluster.Running {
			continue
		}
		if ports := c.Record.Ports(); c.Record.APIPort == port || slices.Contains(ports[:], port) {
			return fmt.Sprintf("the embedded cluster %q", name)
		}
	}
	return cluster.PortProcess(port)
}
