package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Loopback is the only address that ingresslab listens on. No other machine reaches the lab.
const Loopback = "127.0.0.1"

// Listeners are open ports for HTTP, HTTPS, and status. A nil listener is not open.
type Listeners [3]net.Listener

// Close closes the listeners.
func (l Listeners) Close() {
	for _, listener := range l {
		if listener != nil {
			_ = listener.Close() // no connection was accepted
		}
	}
}

// PortOpener opens the ports of a Spec.
type PortOpener struct {
	// Fallback replaces a default port that is in use by a free one, and reports that to Progress.
	Fallback bool
	Progress Progress
	// EngineIsRoot means that a root process will use the ports. A port that only root can open is
	// free if no process accepts connections. Its listener is nil.
	EngineIsRoot bool
	// Holder describes the process that uses a port; nil means PortProcess.
	Holder func(port int) string
}

// Open opens numbered ports first, so that a free port is never one of them.
func (o PortOpener) Open(ctx context.Context, spec Spec) (ports [3]int, open Listeners, err error) {
	defer func() {
		if err != nil {
			open.Close()
		}
	}()
	for i, r := range spec.Ports() {
		if ports[i] = r.Port; r.Port == 0 && !o.Fallback {
			ports[i] = r.Default
		}
		if ports[i] > 0 {
			if open[i], err = o.named(ctx, ports[i], r.Flag); err != nil {
				return ports, open, err
			}
		}
	}
	for i, r := range spec.Ports() {
		if ports[i] > 0 {
			continue
		}
		if r.Port == 0 {
			open[i], err = Listen(ctx, r.Default)
		}
		if open[i] == nil {
			if open[i], err = Listen(ctx, 0); err != nil {
				return ports, open, err
			}
		}
		if ports[i] = PortOf(open[i]); r.Port == 0 && ports[i] != r.Default {
			inUse := &PortInUseError{Port: r.Default, Holder: o.holder(r.Default)}
			o.Progress.Note(fmt.Sprintf("%s; %s is %d instead", inUse.Fact(), r.Flag, ports[i]))
		}
	}
	return ports, open, nil
}

// named opens exactly this port.
func (o PortOpener) named(ctx context.Context, port int, flag string) (net.Listener, error) {
	l, err := Listen(ctx, port)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE), o.EngineIsRoot && accepts(ctx, port):
		return nil, &PortInUseError{Port: port, Flag: flag, Holder: o.holder(port)}
	case o.EngineIsRoot:
		return nil, nil
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: port %d needs root on this machine (net.ipv4.ip_unprivileged_port_start): %w", flag, port, err)
	}
	return nil, fmt.Errorf("%s: %w", flag, err)
}

func (o PortOpener) holder(port int) string {
	if o.Holder != nil {
		return o.Holder(port)
	}
	return PortProcess(port)
}

// Listen opens a port on Loopback; 0 is any free port.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort(Loopback, strconv.Itoa(port)))
	if err != nil && port == 0 {
		return nil, fmt.Errorf("find a free port on %s: %w", Loopback, err)
	}
	return l, err
}

// PortOf returns the port of a TCP listener.
func PortOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// accepts reports whether a process accepts connections on a port.
func accepts(ctx context.Context, port int) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp4", net.JoinHostPort(Loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// PortProcess describes a TCP port's listener from Linux's /proc, or returns "" without /proc or for
// another user's process (https://man7.org/linux/man-pages/man5/proc_net.5.html).
func PortProcess(port int) string {
	inode := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if data, err := os.ReadFile(table); err == nil && inode == "" {
			inode = listenerInode(string(data), port)
		}
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if inode == "" || err != nil {
		return ""
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && link == "socket:["+inode+"]" {
			return processName(strings.Split(fd, "/")[2])
		}
	}
	return ""
}

// stateListen is TCP_LISTEN in the kernel's table of sockets.
const stateListen = "0A"

// listenerInode returns the inode of the socket that listens on a port. table is the text of
// /proc/net/tcp: columns sl, local_address, rem_address, st, ... and inode as the tenth.
func listenerInode(table string, port int) string {
	want := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], want) && f[3] == stateListen {
			return f[9]
		}
	}
	return ""
}

func processName(pid string) string {
	comm, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(comm)))
}
