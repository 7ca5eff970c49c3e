package fetch

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"
)

// narrator tells what happens to a request, as -v does. A nil narrator is silent.
type narrator struct {
	to io.Writer

	mu   sync.Mutex // net/http reports from several goroutines
	sent []string
}

func (n *narrator) say(mark, format string, args ...any) {
	if n == nil {
		return
	}
	line := mark + " " + fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintln(n.to, strings.TrimRight(line, " "))
}

// observe notes times and addresses for -w and narrates for -v.
func (o *outcome) observe(start time.Time, n *narrator, method, path string) *httptrace.ClientTrace {
	trace := &httptrace.ClientTrace{
		ConnectDone:          func(_, _ string, _ error) { o.connected = time.Since(start) },
		GotConn:              func(c httptrace.GotConnInfo) { o.connection(c, n) },
		GotFirstResponseByte: func() { o.first = time.Since(start) },
	}
	if n != nil {
		trace.TLSHandshakeDone = n.handshake
		trace.WroteHeaderField = n.wrote
		trace.WroteHeaders = func() { n.request(method, path) }
	}
	return trace
}

func (o *outcome) connection(c httptrace.GotConnInfo, n *narrator) {
	o.remote, o.local = c.Conn.RemoteAddr().String(), c.Conn.LocalAddr().String()
	if !c.Reused {
		n.say("*", "connected from %s to %s", o.local, o.remote)
	}
}

func (n *narrator) wrote(key string, values []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, v := range values {
		n.sent = append(n.sent, key+": "+v)
	}
}

// request prints the request that was just written.
func (n *narrator) request(method, path string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	proto := "HTTP/1.1"
	for _, line := range n.sent {
		if strings.HasPrefix(line, ":") { // HTTP/2 has pseudo-headers instead of a request line
			proto = "HTTP/2"
		}
	}
	n.say(">", "%s %s %s", method, path, proto)
	for _, line := range n.sent {
		n.say(">", "%s", line)
	}
	n.say(">", "")
	n.sent = nil
}

func (n *narrator) handshake(state tls.ConnectionState, err error) {
	if err != nil {
		return // the transfer will say so
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.say("*", "%s, %s, ALPN %q", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.NegotiatedProtocol)
	for _, c := range state.PeerCertificates[:min(1, len(state.PeerCertificates))] {
		n.say("*", "certificate: %s, for %s, until %s", c.Subject, strings.Join(c.DNSNames, " "), c.NotAfter.Format(time.RFC3339))
	}
}

func (n *narrator) answer(resp *http.Response) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.say("<", "%s %s", resp.Proto, resp.Status)
	for _, line := range headerLines(resp) {
		n.say("<", "%s", line)
	}
	n.say("<", "")
}

// headerLines lists the headers of an answer, with the one that net/http keeps elsewhere.
func headerLines(resp *http.Response) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			lines = append(lines, name+": "+value)
		}
	}
	for _, coding := range resp.TransferEncoding {
		lines = append(lines, "Transfer-Encoding: "+coding)
	}
	return lines
}
