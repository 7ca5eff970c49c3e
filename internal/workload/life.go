package workload

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// ErrCrash is what Server.Run returns after somebody asked for /crash.
var ErrCrash = errors.New("crashing, as POST /crash asked")

// life is what an app and the server around it tell each other: is it ready, is it leaving, was it
// told to crash.
type life struct {
	unready  atomic.Bool // by POST /readyz?ready=false
	draining atomic.Bool // by SIGTERM

	// stopping ends when the drain is over and connections that never become idle must go.
	stopping context.Context
	stop     context.CancelFunc
	// upgraded counts the connections that http.Server.Shutdown no longer knows.
	upgraded sync.WaitGroup

	crashed   chan struct{}
	crashOnce sync.Once
}

func newLife() *life {
	l := &life{crashed: make(chan struct{})}
	l.stopping, l.stop = context.WithCancel(context.Background())
	return l
}

// healthz says that the process lives. It stays 200 during a drain: a failed liveness probe would
// have the kubelet restart a pod that is only on its way out.
func healthz(w http.ResponseWriter, _ *http.Request) {
	sendText(w, http.StatusOK, "ok")
}

// readyz says whether the pod wants traffic. POST ?ready=false makes it say no, so that a student
// sees its address leave the EndpointSlices while the process goes on running.
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
		sendText(w, http.StatusMethodNotAllowed, "readiness is changed by POST: curl -X POST '.../readyz?ready="+strconv.FormatBool(ready)+"'")
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
		sendText(w, http.StatusServiceUnavailable, "not ready: POST /readyz?ready=true makes it ready again")
	default:
		sendText(w, http.StatusOK, "ready")
	}
}

// crash ends the process in the middle of the request, as a bug would. It wants POST: a browser that
// fetches links ahead must not kill pods (RFC 9110, section 9.2.1, safe methods).
func (l *life) crash(w http.ResponseWriter, r *http.Request) {
	if !readParams(r, "crash").ok(w) {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		sendText(w, http.StatusMethodNotAllowed, "a crash is asked for by POST: curl -X POST .../crash")
		return
	}
	l.crashOnce.Do(func() { close(l.crashed) })
	<-r.Context().Done() // the server closes the connection without an answer
}
