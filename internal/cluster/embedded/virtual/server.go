package virtual

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// idleTimeout is longer than that of any proxy, so the server never closes an idle connection
// first.
const idleTimeout = 10 * time.Minute

// serve answers requests for all pods until ctx ends.
func (k *kubelet) serve(ctx context.Context, l net.Listener) {
	server := &http.Server{
		Handler: http.HandlerFunc(k.answer), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // resets open connections, like a machine that stops
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		k.Log("virtual nodes: server: %v", err)
	}
}

// answer returns the requested address. It resets the connection if no pod has that address.
func (k *kubelet) answer(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	reached, err := netip.ParseAddrPort(fmt.Sprint(local))
	if err != nil || !k.addresses.inUse(reached.Addr()) {
		reset(w)
		return
	}
	w.Header().Set(HeaderAddress, reached.Addr().Unmap().String())
	_, _ = fmt.Fprintf(w, "a virtual pod at %s\n", reached.Addr().Unmap()) // the client disconnected
}

// reset resets the connection, as the kernel does if no process has the port.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
