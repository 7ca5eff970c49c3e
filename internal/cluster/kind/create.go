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
	"strings"
	"sync"
	"syscall"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// ChildCommand is the first argument of the child process that runs kind. The provider starts its own
// program, which calls RunChild for this argument.
const ChildCommand = "kind-create-child"

// request is the input of the child, one line of JSON on its standard input.
type request struct {
	Name       string
	Config     *v1alpha4.Cluster
	Kubeconfig string
}

// event is the output of the child, one line of JSON each on its standard output.
type event struct {
	// Log is a line of kind's log.
	Log string `json:",omitempty"`
	// Error is why the creation failed, and Output is the output of the failed command.
	Error  string `json:",omitempty"`
	Output string `json:",omitempty"`
}

// RunChild creates one cluster with kind: it reads the request from stdin and writes events to stdout.
// It returns false if kind failed, after an event with the error.
//
// The parent keeps stdin open. When stdin ends, the parent was killed, and RunChild kills its own process group.
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
		_, _ = io.Copy(io.Discard, in) // ends with the parent
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
		// kind cleans up by name. Only the parent knows whether the name still belongs to this attempt.
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

// eventWriter writes events. kind logs from several goroutines.
type eventWriter struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (w *eventWriter) write(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.enc.Encode(e) // without a parent, this process ends soon
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

// createError is a failure of kind.
type createError struct {
	reason string
	// log is the complete output of kind.
	log string
}

func (e *createError) Error() string { return e.reason }

// createInChild runs kind in a child process. When ctx ends, it kills the child and all its children
// before it returns. An empty executable is the running program.
func createInChild(ctx context.Context, executable string, req request, progress cluster.Progress) error {
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return fmt.Errorf("start kind: %w", err)
		}
	}
	// CommandContext would kill only the child, and not its process group.
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
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have exited
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

// follow reads the child's events until it exits, and reports them. The result has no reason on success.
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
	steps.end(errStep) // kind ends its steps itself unless it was killed
	return failure
}

// reasonOf returns one line for a failure. Of a command's output it takes the last line that contains
// "error", because kubeadm prints a stack trace after it.
func reasonOf(e event) string {
	reason := firstLine(e.Error)
	output := lines(strings.TrimSpace(e.Output))
	if len(output) == 0 {
		return reason
	}
	// The command itself, a long docker run, is in the log.
	reason, _, _ = strings.Cut(reason, ": command \"")
	detail := output[len(output)-1]
	for _, line := range output {
		if strings.Contains(strings.ToLower(line), "error") && !strings.HasPrefix(line, "\t") {
			detail = line
		}
	}
	return reason + ": " + strings.TrimSpace(detail)
}

// kindSteps converts kind's log to steps. kind marks the start and the end of a step with a bullet, a
// check mark, or a cross. Other lines are only for the log.
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
