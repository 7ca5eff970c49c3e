package kind

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// ChildCommand is the argument that makes this program call RunChild, as the provider's child.
const ChildCommand = "kind-create-child"

// request is the input of the child: one line of JSON on its standard input.
type request struct {
	Name       string
	Config     *v1alpha4.Cluster
	Kubeconfig string
}

// event is one line of JSON on the child's standard output.
type event struct {
	Log string `json:",omitempty"` // a line of kind's log
	// Error says why the creation failed. Output is the output of the failed command.
	Error  string `json:",omitempty"`
	Output string `json:",omitempty"`
}

// RunChild reads a request, creates a cluster with kind, and writes events. After an error event,
// it returns false. If stdin ends, the parent was killed, and RunChild kills its process group.
func RunChild(stdin io.Reader, stdout io.Writer) bool {
	in := bufio.NewReader(stdin)
	events := &eventWriter{enc: json.NewEncoder(stdout)}
	var req request
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	if err != nil {
		events.write(event{Error: "invalid request: " + err.Error()})
		return false
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // returns when the parent ends
		_ = syscall.Kill(0, syscall.SIGKILL)
	}()
	return runKind(req, events)
}

func runKind(req request, events *eventWriter) bool {
	provider := kindcluster.NewProvider(
		kindcluster.ProviderWithDocker(),
		kindcluster.ProviderWithLogger(eventLogger{events}),
	)
	err := provider.Create(req.Name,
		kindcluster.CreateWithV1Alpha4Config(req.Config),
		kindcluster.CreateWithKubeconfigPath(req.Kubeconfig),
		// Only the parent knows whether the containers with this name still belong to this attempt.
		kindcluster.CreateWithRetain(true),
		kindcluster.CreateWithDisplayUsage(false),
		kindcluster.CreateWithDisplaySalutation(false),
	)
	if err != nil {
		e := event{Error: err.Error()}
		if re := exec.RunErrorForError(err); re != nil {
			e.Output = string(re.Output)
		}
		events.write(e)
	}
	return err == nil
}

// eventWriter writes events. It is safe for concurrent use, because kind logs from goroutines.
type eventWriter struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (w *eventWriter) write(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.enc.Encode(e) // if it fails, the parent has exited, and this process ends soon
}

// eventLogger is kind's logger. It writes each line as an event.
type eventLogger struct{ events *eventWriter }

var _ log.Logger = eventLogger{}

func (l eventLogger) Info(message string)            { l.events.write(event{Log: message}) }
func (l eventLogger) Infof(format string, a ...any)  { l.Info(fmt.Sprintf(format, a...)) }
func (l eventLogger) Warn(message string)            { l.Info(message) }
func (l eventLogger) Warnf(format string, a ...any)  { l.Infof(format, a...) }
func (l eventLogger) Error(message string)           { l.Info(message) }
func (l eventLogger) Errorf(format string, a ...any) { l.Infof(format, a...) }
func (l eventLogger) V(log.Level) log.InfoLogger     { return l }
func (l eventLogger) Enabled() bool                  { return true }

// createError means that kind could not create the cluster.
type createError struct {
	reason string
	log    string // the complete output of kind
}

func (e *createError) Error() string { return e.reason }

// createInChild runs kind in a child, and kills its process group when ctx ends.
func createInChild(ctx context.Context, executable string, req request, progress cluster.Progress) error {
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return fmt.Errorf("start kind: %w", err)
		}
	}
	// CommandContext would kill only the child, but not its process group.
	cmd := osexec.Command(executable, ChildCommand) //nolint:noctx // see above
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	var stdout io.Reader
	if err == nil {
		stdout, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start kind: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the child might have exited
	})
	defer stop()
	_ = json.NewEncoder(stdin).Encode(req) // fails if the child has exited; Wait returns the reason
	failure := follow(stdout, progress)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failure.reason != "":
		return failure
	case err != nil:
		failure.reason = fmt.Sprintf("kind exited: %v: %s", err, firstLine(stderr.String()))
		failure.log += stderr.String()
		return failure
	}
	return nil
}

// follow reports the child's events until it exits. On success, the result has an empty reason.
func follow(stdout io.Reader, progress cluster.Progress) *createError {
	failure := &createError{}
	steps := kindSteps{progress: progress}
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, 16<<20) // the output of a failed kubeadm is one event
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			failure.log += in.Text() + "\n"
			continue
		}
		if e.Error != "" {
			failure.reason = reasonOf(e)
			failure.log += e.Error + "\n" + e.Output + "\n"
			continue
		}
		failure.log += strings.TrimRight(e.Log, "\n") + "\n"
		steps.log(e.Log)
	}
	steps.end(errStep) // if kind was killed, it has not ended its last step
	return failure
}

// reasonOf returns the last line of the output with "error" that precedes kubeadm's stack trace.
func reasonOf(e event) string {
	reason := firstLine(e.Error)
	output := lines(strings.TrimSpace(e.Output))
	if len(output) == 0 {
		return reason
	}
	// Omit the command, a long docker run. The log contains it.
	reason, _, _ = strings.Cut(reason, ": command \"")
	detail := output[len(output)-1]
	for _, line := range output {
		if strings.Contains(strings.ToLower(line), "error") && !strings.HasPrefix(line, "\t") {
			detail = line
		}
	}
	return reason + ": " + strings.TrimSpace(detail)
}

// kindSteps converts kind's log to steps. Bullets, check marks, and crosses in the log mark them.
type kindSteps struct {
	progress cluster.Progress
	done     func(error)
}

var errStep = errors.New("failed")

func (s *kindSteps) log(line string) {
	mark, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch mark {
	case "•":
		s.end(nil)
		s.done = s.progress.Step(plain(text))
	case "✓":
		s.end(nil)
	case "✗":
		s.end(errStep)
	}
}

func (s *kindSteps) end(err error) {
	if s.done != nil {
		s.done(err)
	}
	s.done = nil
}

// plain removes the emoji and dots from the name of a step.
func plain(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r > 127 {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(ascii), "..."))
}

// These are the ports of the controller on its node. manifests/kind uses the same host ports.
const (
	containerHTTPPort   = 80
	containerHTTPSPort  = 443
	containerStatusPort = 18080
)

// cgroupV1Patch lets the kubelet start on cgroup v1, which it refuses by default since Kubernetes
// 1.35 (https://kubernetes.io/docs/concepts/architecture/cgroups/#deprecation-of-cgroup-v1).
const cgroupV1Patch = `kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
failCgroupV1: false
`

// config returns kind's configuration. The control-plane node, which always exists, maps the ports.
func config(name string, r *cluster.Record, cgroupV1 bool) *v1alpha4.Cluster {
	c := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:     name,
		Nodes: []v1alpha4.Node{{
			Role:  v1alpha4.ControlPlaneRole,
			Image: r.NodeImage,
			ExtraPortMappings: []v1alpha4.PortMapping{
				mapping(containerHTTPPort, r.HTTPPort),
				mapping(containerHTTPSPort, r.HTTPSPort),
				mapping(containerStatusPort, r.StatusPort),
			},
		}},
	}
	for range r.Nodes - 1 {
		c.Nodes = append(c.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: r.NodeImage})
	}
	if cgroupV1 {
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, cgroupV1Patch)
	}
	return c
}

// mapping returns a port mapping. The ports must be valid (at most 65535).
func mapping(containerPort, hostPort int) v1alpha4.PortMapping {
	return v1alpha4.PortMapping{
		ContainerPort: int32(containerPort), HostPort: int32(hostPort),
		ListenAddress: cluster.Loopback, Protocol: v1alpha4.PortMappingProtocolTCP,
	}
}

// inotifyLimit is a kernel limit (https://man7.org/linux/man-pages/man7/inotify.7.html).
const inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"

// inotifyInstances is enough for several clusters. All nodes share the instances of one user. A
// kubelet without an instance restarts forever with "too many open files". Four need all 128
// (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files).
const inotifyInstances = 512

// raiseInotify raises the limit in file if it is too low, and returns a note for the user. If the
// file does not exist, for example because Docker runs in a virtual machine, it does nothing.
func raiseInotify(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || limit >= inotifyInstances {
		return ""
	}
	if os.WriteFile(file, []byte(strconv.Itoa(inotifyInstances)), 0o644) != nil {
		return fmt.Sprintf("fs.inotify.max_user_instances is %d, so a second cluster can fail; "+
			"as root, run: sysctl -w fs.inotify.max_user_instances=%d", limit, inotifyInstances)
	}
	return fmt.Sprintf("raised fs.inotify.max_user_instances from %d to %d until the next boot; nodes need many", limit, inotifyInstances)
}
