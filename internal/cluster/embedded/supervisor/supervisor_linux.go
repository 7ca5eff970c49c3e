package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/service"
)

// startTimeout bounds everything until the cluster is Ready. A busy machine takes ten times what an idle one does.
const startTimeout = 2 * time.Minute

// supervisor is one that runs.
type supervisor struct {
	Request
	events  *events
	network *network.Network
	plane   *controlplane.ControlPlane
	// nodes are the networks of the nodes, by name.
	nodes map[string]network.Namespace
	// background is what runs until the end.
	background sync.WaitGroup
}

// Run is the life of a cluster: it reads the Request from stdin, tells events on stdout, and returns when the cluster is to
// end. It expects to be process 1 of its namespaces, so that its own end is that of everybody. It returns false if there
// was no cluster, which has been told as an event.
func Run(stdin io.Reader, stdout io.Writer) bool {
	// Whoever reads what it tells may end, and the terminal it was started from be closed.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	s := &supervisor{events: newEvents(stdout)}
	in := bufio.NewReader(stdin)
	if err := s.read(in); err != nil {
		s.events.tell(Event{Error: err.Error()})
		return false
	}
	ended := make(chan error, 1)
	go func() { ended <- s.live(ctx) }()
	go func() {
		if line, err := in.ReadString('\n'); err != nil || line != Keep {
			abandon(errAbandoned)
		}
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		// Not waited for: the kernel ends whatever is still on its way.
		err = context.Cause(ctx)
	}
	return s.end(err)
}

// errAbandoned says that the starter is gone and nobody has said to keep the cluster.
var errAbandoned = errors.New("nobody wants the cluster")

func (s *supervisor) read(in *bufio.Reader) error {
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.Request)
	}
	if err != nil {
		return fmt.Errorf("bad request: %w", err)
	}
	return nil
}

// live brings everything up, tells that it is there, and waits for the end.
func (s *supervisor) live(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	s.events.tell(Event{Ready: true})
	s.log("ready")
	select {
	case err := <-s.plane.Failed():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// start is the order of things.
func (s *supervisor) start(ctx context.Context) error {
	starting, cancel := context.WithTimeoutCause(ctx, startTimeout, errSlow)
	defer cancel()
	if err := s.settle(); err != nil {
		return err
	}
	entries, err := inherit()
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
	s.serve(ctx, entries)
	if err := s.startVirtual(ctx); err != nil {
		return err
	}
	serving, err := s.startServices(ctx)
	if err != nil {
		return err
	}
	if err := s.furnish(starting); err != nil {
		return err
	}
	select {
	case err := <-serving:
		return err
	case <-starting.Done():
		return fmt.Errorf("services: %w", context.Cause(starting))
	}
}

// startServices makes Services work, and names. It returns where to hear that those that exist do,
// or why none will.
func (s *supervisor) startServices(ctx context.Context) (serving <-chan error, err error) {
	client, err := s.client(controlplane.ProxyUser)
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	s.background.Go(func() {
		err := service.Run(ctx, service.Config{
			Client: client, Hub: s.network.Hub(), Nodes: s.nodes, ClusterDomain: clusterDomain, Log: s.log,
		}, func() { started <- nil })
		if err != nil && ctx.Err() == nil {
			s.log("services: %v", err)
			select {
			case started <- fmt.Errorf("services: %w", err):
			default: // they worked before
			}
		}
	})
	return started, nil
}

// errSlow is why a start is given up.
var errSlow = fmt.Errorf("the cluster was not Ready after %v", startTimeout)

// startControlPlane waits no longer than waiting lives; the programs run as long as living does.
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
		return fmt.Errorf("control plane: %w; its logs are in %s", context.Cause(waiting), controlplane.LogDir(s.Dir))
	}
}

// settle makes the process at home in its namespaces.
func (s *supervisor) settle() error {
	// Mounts of the cluster are nobody else's: without this they would go to the machine where its own are shared.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	// The processes of the namespace, in place of the machine's. Machines whose own /proc is partly covered, as in a
	// container, do not allow it to user namespaces (user_namespaces(7)); then the machine's stays, which serves as well.
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		s.log("processes are seen in the machine's /proc: %v", err)
	}
	if err := syscall.Sethostname([]byte(NodeName(s.Name, 0))); err != nil {
		s.log("host name: %v", err)
	}
	return nil
}

// end ends everything, and removes what nobody wants. It returns whether there was a cluster.
func (s *supervisor) end(why error) bool {
	s.log("ends: %v", why)
	abandoned := errors.Is(why, errAbandoned)
	var damaged *controlplane.DamagedError
	if !abandoned && !errors.Is(why, context.Canceled) {
		s.events.tell(Event{Error: why.Error(), Damaged: errors.As(why, &damaged)})
	}
	// Everybody but the caller, in a process namespace of which the caller is process 1 (kill(2)).
	if os.Getpid() == 1 {
		_ = syscall.Kill(-1, syscall.SIGKILL) // nobody there is as good
	}
	if abandoned && s.New {
		s.remove()
	}
	return errors.Is(why, context.Canceled)
}

// step tells that something begins.
func (s *supervisor) step(text string) {
	s.log("%s", text)
	s.events.tell(Event{Step: text})
}

// log writes a line into the supervisor's log, which is its standard error.
func (s *supervisor) log(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")+format+"\n", arguments...)
}
