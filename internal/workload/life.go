package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// ErrCrash is the error of Server.Run after POST /crash.
var ErrCrash = errors.New("crash requested by POST /crash")

// life is the state that an app shares with its server: readiness, drain, and crash.
type life struct {
	unready  atomic.Bool // by POST /readyz?ready=false
	draining atomic.Bool // by SIGTERM

	// stopping ends after the drain, to close connections that never become idle.
	stopping context.Context
	stop     context.CancelFunc
	// upgraded counts the connections that http.Server.Shutdown does not track.
	upgraded sync.WaitGroup

	crashed   chan struct{}
	crashOnce sync.Once
}

func newLife() *life {
	l := &life{crashed: make(chan struct{})}
	l.stopping, l.stop = context.WithCancel(context.Background())
	return l
}

// healthz reports that the process runs. It returns 200 during a drain, too, so that the kubelet does not restart the container.
func healthz(w http.ResponseWriter, _ *http.Request) {
	sendText(w, http.StatusOK, "ok")
}

// readyz reports whether the pod is ready. After POST ?ready=false, the pod's address leaves the EndpointSlices, and the process
// continues.
// https://kubernetes.io/docs/concepts/workloads/pods/probes/#readiness-probe
func (l *life) readyz(w http.ResponseWriter, r *http.Request) {
	p := readParams(r, "readyz")
	ready, asked := p.boolean("ready")
	if !p.ok(w) {
		return
	}
	switch {
	case asked && r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		sendText(w, http.StatusMethodNotAllowed, fmt.Sprintf("use POST to change the readiness: curl -X POST '.../readyz?ready=%t'", ready))
		return
	case asked:
		l.unready.Store(!ready)
		sendText(w, http.StatusOK, "ready: "+strconv.FormatBool(ready))
		return
	}
	switch {
	case l.draining.Load():
		sendText(w, http.StatusServiceUnavailable, "not ready: shutting down")
	case l.unready.Load():
		sendText(w, http.StatusServiceUnavailable, "not ready; use POST /readyz?ready=true to make it ready again")
	default:
		sendText(w, http.StatusOK, "ready")
	}
}

// crash ends the process during the request. It requires POST, because a browser that prefetches links must not end pods (RFC 9110,
// section 9.2.1, safe methods).
func (l *life) crash(w http.ResponseWriter, r *http.Request) {
	if !readParams(r, "crash").ok(w) {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		sendText(w, http.StatusMethodNotAllowed, "use POST to crash the process: curl -X POST .../crash")
		return
	}
	l.crashOnce.Do(func() { close(l.crashed) })
	<-r.Context().Done() // the server closes the connection without a response
}
