package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/service"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/virtual"
	"github.com/ingresslab/ingresslab/internal/filelock"
)

const (
	// startTimeout limits the time to Ready. A busy machine takes 10 times as long as an idle one.
	startTimeout = 2 * time.Minute
	// removeTimeout limits how long removing the directory of an abandoned cluster can take.
	removeTimeout = 10 * time.Second
	// removePoll is the delay between attempts to remove it. An ending process might still write.
	removePoll = 20 * time.Millisecond
)

// supervisor is a running supervisor.
type supervisor struct {
	Request
	events  *events
	network *network.Network
	plane   *controlplane.ControlPlane
	nodes   map[string]network.Namespace // nodes maps a node's name to its network namespace
}

// Run runs a cluster until it is stopped. It reads the Request from stdin and writes events to
// stdout. It must be PID 1 of its namespaces, so that all processes end with it. If the cluster
// fails, it sends an event with the error and returns false.
func Run(stdin io.Reader, stdout io.Writer) bool {
	// The parent, which reads stdout, might exit, and the terminal might close.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	s := &supervisor{events: newEvents(stdout)}
	in := bufio.NewReader(stdin)
	if err := s.readRequest(in); err != nil {
		s.events.send(Event{Error: err.Error()})
		return false
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	go func() {
		if line, err := in.ReadString('\n'); err != nil || line != Keep {
			abandon(errAbandoned)
		}
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		// Do not wait for run: the kernel ends everything that is still running.
		err = context.Cause(ctx)
	}
	return s.end(err)
}

// errAbandoned means that the lifetime pipe closed before Keep arrived.
var errAbandoned = errors.New("startup canceled: the parent process exited")

func (s *supervisor) readRequest(in *bufio.Reader) error {
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.Request)
	}
	if err != nil {
		return fmt.Errorf("invalid request: %w", err)
	}
	return nil
}

// run starts the cluster, reports that it is Ready, and waits until it must stop.
func (s *supervisor) run(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	s.events.send(Event{Ready: true})
	s.log("ready")
	select {
	case err := <-s.plane.Failed():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errTimeout = fmt.Errorf("the cluster was not Ready after %v", startTimeout)

// start starts all parts of the cluster in order.
func (s *supervisor) start(ctx context.Context) error {
	starting, cancel := context.WithTimeoutCause(ctx, startTimeout, errTimeout)
	defer cancel()
	if err := s.setUpNamespaces(); err != nil {
		return err
	}
	mappings, err := inheritMappings()
	if err != nil {
		return err
	}
	s.step("Starting the control plane (Kubernetes " + s.Binaries.Version + ")")
	if s.network, err = network.New(ctx); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := s.startControlPlane(starting, ctx); err != nil {
		return err
	}
	s.step("Starting the nodes")
	if err := s.startNodes(ctx); err != nil {
		return err
	}
	if err := s.plane.AwaitReady(starting, ctx); err != nil {
		return err
	}
	s.log("the API server is ready")
	s.serve(ctx, mappings)
	if err := s.startVirtual(ctx); err != nil {
		return err
	}
	serving, err := s.startServices(ctx)
	if err != nil {
		return err
	}
	if err := s.bootstrap(starting); err != nil {
		return err
	}
	select {
	case err := <-serving:
		return err
	case <-starting.Done():
		return fmt.Errorf("services: %w", context.Cause(starting))
	}
}

// startServices starts the implementation of Services and DNS. The channel receives nil when all
// existing Services are served, or an error.
func (s *supervisor) startServices(ctx context.Context) (serving <-chan error, err error) {
	client, err := s.plane.Client(controlplane.ProxyUser)
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		err := service.Run(ctx, service.Config{
			Client: client, Hub: s.network.Hub(), Nodes: s.nodes, ClusterDomain: clusterDomain, Log: s.log,
		}, func() { started <- nil })
		if err != nil && ctx.Err() == nil {
			s.log("services: %v", err)
			select {
			case started <- fmt.Errorf("services: %w", err):
			default: // service.Run was ready before it failed
			}
		}
	}()
	return started, nil
}

// startVirtual starts the kubelet of the virtual nodes (docs/scale.md) and only logs their errors.
func (s *supervisor) startVirtual(ctx context.Context) error {
	client, err := s.plane.Admin()
	if err != nil {
		return fmt.Errorf("virtual nodes: %w", err)
	}
	go func() {
		err := virtual.Run(ctx, virtual.Config{
			Client: client, Version: s.Binaries.Version, Listen: s.network.Hub().Listen, Log: s.log,
		})
		if err != nil {
			s.log("virtual nodes: %v", err)
		}
	}()
	return nil
}

// startControlPlane stops waiting when waiting ends. The components run until living ends.
func (s *supervisor) startControlPlane(waiting, living context.Context) error {
	started := make(chan error, 1)
	go func() {
		plane, err := controlplane.Start(living, controlplane.Config{Binaries: s.Binaries, Dir: s.Dir, Log: s.log})
		s.plane = plane
		started <- err
	}()
	select {
	case err := <-started:
		return err
	case <-waiting.Done():
		return fmt.Errorf("control plane: %w; see the logs in %s", context.Cause(waiting), controlplane.LogDir(s.Dir))
	}
}

// setUpNamespaces prepares the mount, PID and UTS namespaces of the process.
func (s *supervisor) setUpNamespaces() error {
	// Keep mounts from propagating to the machine.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	// Mount a new /proc, so that it shows the processes of the new PID namespace. If parts of /proc
	// are masked, as in a container, this fails (user_namespaces(7)), but the old /proc works, too.
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		s.log("using the machine's /proc: %v", err)
	}
	if err := syscall.Sethostname([]byte(NodeName(s.Name, 0))); err != nil {
		s.log("hostname: %v", err)
	}
	return nil
}

// end stops all processes and removes an abandoned new cluster. It reports a requested stop.
func (s *supervisor) end(cause error) bool {
	s.log("stopping: %v", cause)
	abandoned := errors.Is(cause, errAbandoned)
	if !abandoned && !errors.Is(cause, context.Canceled) {
		_, damaged := errors.AsType[*controlplane.DamagedError](cause)
		s.events.send(Event{Error: cause.Error(), Damaged: damaged})
	}
	// In a PID namespace, this kills all processes except the caller, which is PID 1 (kill(2)).
	if os.Getpid() == 1 {
		_ = syscall.Kill(-1, syscall.SIGKILL) // fails if there are no other processes
	}
	if abandoned && s.New {
		s.remove()
	}
	return errors.Is(cause, context.Canceled)
}

// remove removes the cluster's directory. The lock prevents other commands from using a directory
// that is partly removed. A parent that still runs has the lock and removes it itself.
func (s *supervisor) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	release, err := filelock.Acquire(ctx, s.Lock, func() {})
	if err == nil {
		defer release()
		err = retry(ctx, removePoll, func() error { return os.RemoveAll(s.Dir) })
	}
	if err != nil {
		s.log("remove %s: %v", s.Dir, err)
	}
}

// retry calls f until it returns nil. If ctx ends first, the error includes f's last error.
func retry(ctx context.Context, delay time.Duration, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

func (s *supervisor) step(text string) {
	s.log("%s", text)
	s.events.send(Event{Step: text})
}

// log writes a line to the supervisor's log, which is its standard error.
func (s *supervisor) log(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")+format+"\n", arguments...)
}

// portMapping forwards connections from a listener on the machine to an address in the cluster.
type portMapping struct {
	name     string
	listener net.Listener
	target   string // target is an address that the hub can dial
}

// These are the host ports of the Ingress controller on its node (manifests/kind).
const (
	httpPort   = 80
	httpsPort  = 443
	statusPort = 18080
)

// inheritMappings returns the port mappings for the listeners that the provider opened.
func inheritMappings() ([]portMapping, error) {
	node := NodeAddress(0).String()
	at := func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	var mappings []portMapping
	for fd, m := range map[uintptr]portMapping{
		apiListener:    {name: "API", target: at(network.Hub.String(), controlplane.APIPort)},
		httpListener:   {name: "HTTP", target: at(node, httpPort)},
		httpsListener:  {name: "HTTPS", target: at(node, httpsPort)},
		statusListener: {name: "status", target: at(node, statusPort)},
	} {
		file := os.NewFile(fd, m.name)
		listener, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("port mapping for %s: %w", m.name, err)
		}
		// The listener is a copy that children do not inherit. They would inherit file, so close it.
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("port mapping for %s: %w", m.name, err)
		}
		m.listener = listener
		mappings = append(mappings, m)
	}
	return mappings, nil
}

// serve relays connections of all port mappings until ctx ends.
func (s *supervisor) serve(ctx context.Context, mappings []portMapping) {
	hub := s.network.Hub()
	for _, m := range mappings {
		go func() {
			dial := func(ctx context.Context, _ net.Addr) (net.Conn, error) { return hub.Dial(ctx, "tcp", m.target) }
			if err := relay.Stream(ctx, m.listener, dial); err != nil {
				s.log("port mapping for %s: %v", m.name, err)
			}
		}()
	}
}
