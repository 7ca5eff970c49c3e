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

// idleTimeout is longer than that of any proxy that keeps connections, so that it is never this end that closes them.
const idleTimeout = 10 * time.Minute

// serve answers for every pod until ctx ends.
func (k *kubelet) serve(ctx context.Context, l net.Listener) {
	server := &http.Server{
		Handler: http.HandlerFunc(k.answer), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is open is cut off, as when a machine ends
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		k.Log("virtual nodes: server: %v", err)
	}
}

// answer says which address was reached. Where no pod has that address, nobody answers.
func (k *kubelet) answer(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	reached, err := netip.ParseAddrPort(fmt.Sprint(local))
	if err != nil || !k.addresses.used(reached.Addr()) {
		hangUp(w)
		return
	}
	w.Header().Set(HeaderAddress, reached.Addr().Unmap().String())
	_, _ = fmt.Fprintf(w, "a virtual pod at %s\n", reached.Addr().Unmap()) // the client left
}

// hangUp resets the connection, as a machine does with connections of a process that is gone.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
