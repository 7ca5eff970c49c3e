package kind

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"syscall"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/kind/pkg/log"
)

// ChildCommand is the first argument with which the provider starts the
// program it is part of as the child that runs kind. The program has to call
// RunChild when it sees it.
const ChildCommand = "kind-create-child"

// request is what the child is told, as one line of JSON on its standard input.
type request struct {
	Name       string
	Config     *v1alpha4.Cluster
	Kubeconfig string
}

// event is what the child tells, one JSON line each on its standard output.
type event struct {
	// Log is a line of kind's log.
	Log string `json:",omitempty"`
	// Error is why creation failed, Output what the failing command printed.
	Error  string `json:",omitempty"`
	Output string `json:",omitempty"`
}

// RunChild creates one cluster with kind: it reads the request from stdin and
// writes events to stdout. It returns false if kind failed, which has been
// told as an event.
//
// Its standard input stays open for as long as its parent lives. When it ends,
// because the parent was killed, RunChild kills its own process group: nobody
// is left who would want the cluster.
func RunChild(stdin io.Reader, stdout io.Writer) bool {
	in := bufio.NewReader(stdin)
	events := &eventWriter{enc: json.NewEncoder(stdout)}
	var req request
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	if err != nil {
		events.write(event{Error: "bad request: " + err.Error()})
		return false
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends when the parent does, however
		_ = syscall.Kill(0, syscall.SIGKILL)
	}()
	return create(req, events)
}

func create(req request, events *eventWriter) bool {
	provider := kindcluster.NewProvider(
		kindcluster.ProviderWithDocker(),
		kindcluster.ProviderWithLogger(eventLogger{events}),
	)
	err := provider.Create(req.Name,
		kindcluster.CreateWithV1Alpha4Config(req.Config),
		kindcluster.CreateWithKubeconfigPath(req.Kubeconfig),
		// kind's own cleanup goes by name; the parent's, which knows whether
		// the name still is that of this attempt, is the only one.
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

// eventWriter writes events; kind logs from several goroutines.
type eventWriter struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (w *eventWriter) write(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.enc.Encode(e) // if the parent is gone, we are about to be, too
}

// eventLogger is kind's logger; it writes every line as an event.
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
