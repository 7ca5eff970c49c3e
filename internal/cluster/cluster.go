package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// Cluster describes a running cluster: its API server responds and its nodes are Ready.
type Cluster struct {
	Name     string // unique among the clusters of a provider
	Provider string // the name of the cluster's provider: "kind"
	// Kubeconfig is ingresslab's own kubeconfig file, with this cluster as the current context.
	Kubeconfig string
	Config     *rest.Config // the content of Kubeconfig for client-go
	Addresses  Addresses    // reach the ingress from this machine
	Missing    Missing      // what the cluster does not support
	// Created is true if this call of Up created the cluster, so that a canceled Up removes it.
	Created   bool
	Overrides Overrides // change objects before they are applied to the cluster
	// Registry is the prefix of the images that nodes pull ("registry.example.com/lab"), or empty.
	Registry string
	// Forward is the command that opens Addresses. It is empty if they are always open.
	Forward string
}

// Overrides map names in manifests to the names that a cluster uses.
type Overrides struct {
	// Images maps the image references of manifests to the references that the nodes pull.
	Images map[string]string
	// Classes maps the Ingress classes of manifests to the classes of the cluster.
	Classes map[string]string
}

// Addresses are host:port pairs on this machine that reach the ports of the controller.
type Addresses struct {
	HTTP   string // container port 80
	HTTPS  string // container port 443
	Status string // the controller's status page, container port 18080
}

// Capability is a feature that a cluster can support.
type Capability string

// Scenarios list these capabilities in `requires:`. If one is missing, the scenario is skipped.
const (
	Pods     Capability = "pods"     // containers really run
	Nodes    Capability = "nodes"    // more than one node, for tests of spreading and of node ports
	Services Capability = "services" // the cluster IP of a Service works
	DNS      Capability = "dns"      // names of Services resolve in pods
)

// Commands check these capabilities.
const (
	Creation Capability = "creation" // the provider can create clusters
	// Isolation means that only ingresslab uses the cluster, so that it can change every object.
	Isolation Capability = "isolation"
	// ImageLoading means that nodes accept images from this machine without a registry.
	ImageLoading Capability = "imageLoading"
)

// Requirements lists the capabilities that a scenario can require, in print order.
func Requirements() []Capability { return []Capability{Pods, Nodes, Services, DNS} }

// Missing maps each missing capability to the reason, which is printed after "skipped: ".
type Missing map[Capability]string

// Lacks returns the reasons why the cluster does not meet the requirements, in their order. It also
// returns a reason for an unknown requirement, so that a typo never passes unnoticed.
func (m Missing) Lacks(required ...Capability) []string {
	var reasons []string
	for _, r := range required {
		if !slices.Contains(Requirements(), r) {
			reasons = append(reasons, fmt.Sprintf("unknown requirement %q", r))
		} else if why, lacks := m[r]; lacks {
			reasons = append(reasons, fmt.Sprintf("requires %s: %s", r, why))
		}
	}
	return reasons
}

// Has reports whether the cluster supports a capability.
func (m Missing) Has(c Capability) bool {
	_, lacks := m[c]
	return !lacks
}

// These are the defaults of a Spec.
const (
	DefaultName = "ingresslab" // the name of the cluster if --name isn't set
	// DefaultNodes is a control plane and two workers, so that pods have a choice of nodes.
	DefaultNodes = 3
	// DefaultHTTPPort and the next two are above 1024, so that opening them does not require root.
	DefaultHTTPPort   = 8080
	DefaultHTTPSPort  = 8443
	DefaultStatusPort = 18080
)

// AnyPort as a port of a Spec requests any free port.
const AnyPort = -1

// MaxNodes is the maximum number of nodes. A laptop runs far fewer, but the limit catches typos.
const MaxNodes = 16

// Spec is the requested state. A zero field means the existing cluster's value, or the default.
type Spec struct {
	// Name must be a DNS label of at most 50 characters, because it is part of node names.
	Name  string
	Nodes int // includes the control plane. A single node also runs pods.
	// HTTPPort, HTTPSPort, and StatusPort are ports on 127.0.0.1, 1 to 65535, or AnyPort.
	HTTPPort, HTTPSPort, StatusPort int
	// NodeImage is the image of the nodes. If it is empty, the provider finds one.
	NodeImage string
	// KeepOnFailure keeps an incomplete cluster for debugging if Up fails or is canceled.
	KeepOnFailure bool
	// MergeKubeconfig adds the cluster's context to the user's kubeconfig. Down removes the context.
	MergeKubeconfig bool
	Recreate        bool // removes an existing cluster of this name first
}

// SpecError reports an invalid field of a Spec.
type SpecError struct {
	Flag string // the command-line flag of the field: "--nodes"
	Why  string // what is wrong, printed after "--nodes: "
}

func (e *SpecError) Error() string { return e.Flag + ": " + e.Why }

// maxName fits node names, which add "-control-plane", into the 64 characters of a host name.
const maxName = 50

// dnsLabel matches a label of RFC 1123. Node names consist of labels.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// Check returns a *SpecError for an invalid field. It does not check existing clusters.
func (s Spec) Check() error {
	name := s.WithDefaultName().Name
	if len(name) > maxName || !dnsLabel.MatchString(name) {
		return &SpecError{"--name", fmt.Sprintf("%q is not a name of lower-case letters, digits, and dashes, at most %d long", name, maxName)}
	}
	if s.Nodes < 0 || s.Nodes > MaxNodes {
		return &SpecError{"--nodes", fmt.Sprintf("%d is not between 1 and %d", s.Nodes, MaxNodes)}
	}
	if err := s.checkPorts(); err != nil {
		return err
	}
	if strings.HasSuffix(s.NodeImage, ":latest") {
		return &SpecError{"--node-image", "the tag latest changes, so ingresslab can't compare it with an existing cluster; name a fixed tag"}
	}
	return nil
}

// checkPorts rejects invalid ports and ports that are used twice. It includes the defaults.
func (s Spec) checkPorts() error {
	seen := map[int]string{}
	for _, r := range s.Ports() {
		if r.Port < AnyPort || r.Port > 65535 {
			return &SpecError{r.Flag, fmt.Sprintf("%d is not a port (1 to 65535, or 0 for a free one)", r.Port)}
		}
		port := cmp.Or(r.Port, r.Default)
		if port != AnyPort && seen[port] != "" {
			return &SpecError{r.Flag, fmt.Sprintf("%d is already used for %s", port, seen[port])}
		}
		seen[port] = r.Flag
	}
	return nil
}

// WithDefaultName returns the Spec. It replaces an empty name with DefaultName.
func (s Spec) WithDefaultName() Spec {
	s.Name = cmp.Or(s.Name, DefaultName)
	return s
}

// PortRequest is one port of a Spec.
type PortRequest struct {
	Flag    string // the command-line flag of the port: "--http-port"
	Port    int    // the value in the Spec: 0 for none, AnyPort, or a port
	Default int    // the port of a new cluster if Port is 0
}

// Ports returns the ports of the Spec: HTTP, HTTPS, status.
func (s Spec) Ports() [3]PortRequest {
	return [3]PortRequest{
		{"--http-port", s.HTTPPort, DefaultHTTPPort},
		{"--https-port", s.HTTPSPort, DefaultHTTPSPort},
		{"--status-port", s.StatusPort, DefaultStatusPort},
	}
}

// differences returns the settings of an existing cluster that differ from the Spec.
func (s Spec) differences(r *Record) []string {
	var diffs []string
	if s.Nodes != 0 && s.Nodes != r.Nodes {
		diffs = append(diffs, fmt.Sprintf("--nodes: has %d, want %d", r.Nodes, s.Nodes))
	}
	for i, request := range s.Ports() {
		if request.Port > 0 && request.Port != r.Ports()[i] {
			diffs = append(diffs, fmt.Sprintf("%s: has %d, want %d", request.Flag, r.Ports()[i], request.Port))
		}
	}
	if s.NodeImage != "" && r.NodeImage != "" && s.NodeImage != r.NodeImage {
		diffs = append(diffs, fmt.Sprintf("--node-image: has %s, want %s", r.NodeImage, s.NodeImage))
	}
	return diffs
}

// Loopback is the only address that ingresslab listens on, so other machines cannot reach the lab.
const Loopback = "127.0.0.1"

// Listeners are the listeners for HTTP, HTTPS, and status. An element is nil if it is not open.
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
	// Fallback replaces a default port in use with a free port, and reports the change to Progress.
	Fallback bool
	Progress Progress
	// EngineIsRoot means that a root process will use the ports. Then a port that only root can open
	// counts as free if no process accepts connections on it, and its listener is nil.
	EngineIsRoot bool
	// Holder describes the process that uses a port. If it is nil, PortProcess does.
	Holder func(port int) string
}

// Open opens the requested ports first, so that AnyPort never selects one of them.
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

// named opens this port. It does not fall back to a different one.
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

// Listen opens a port on Loopback. If port is 0, it opens any free port.
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
// /proc/net/tcp, with the columns sl, local_address, rem_address, st, ... The tenth is the inode.
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
