package workload

import (
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// maxMessage limits a WebSocket message, in bytes.
const maxMessage = 1 << 20

// upgrade accepts a WebSocket (RFC 6455) that returns every message. When the pod stops, it closes with status 1001, "going away".
func (a *App) upgrade(w http.ResponseWriter, r *http.Request) {
	if !readParams(r, "upgrade").ok(w) {
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		// RFC 9110, section 15.5.22: 426 has an Upgrade header.
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		sendText(w, http.StatusUpgradeRequired, "this path requires a WebSocket; send Upgrade: websocket")
		return
	}
	a.life.upgraded.Add(1)
	defer a.life.upgraded.Done()
	// Any origin can connect, because there is no data to protect. Accept responds to an invalid handshake.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }() // it may be closed already
	conn.SetReadLimit(maxMessage)
	left := make(chan struct{})
	defer close(left)
	go func() {
		select {
		case <-a.life.stopping.Done():
			_ = conn.Close(websocket.StatusGoingAway, "the pod is shutting down")
		case <-left:
		}
	}()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if err := conn.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
