package workload

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	maxEchoedBody = 64 << 10 // limits Echo.Body, in bytes
	// maxBody limits the request body, in bytes. It exceeds all limits that labs set in the Ingress controller.
	maxBody = 256 << 20
)

// Echo is the response of /echo: the request as received, and the pod.
type Echo struct {
	Pod       string `json:"pod"`
	Namespace string `json:"namespace"` // empty if unknown
	Node      string `json:"node"`      // empty if unknown
	App       string `json:"app"`

	Method string `json:"method"`
	Path   string `json:"path"`  // from the request line, neither decoded nor cleaned
	Query  string `json:"query"` // the text after the first "?", not decoded
	Host   string `json:"host"`  // the Host header (HTTP/1.1) or :authority (HTTP/2)
	// Headers has all headers except Host. Names are in Go's canonical form; they are case-insensitive (RFC 9110, section 5.1).
	Headers  map[string][]string `json:"headers"`
	Protocol string              `json:"protocol"` // HTTP/1.0, HTTP/1.1 or HTTP/2.0
	TLS      *EchoTLS            `json:"tls"`      // null for a connection without TLS
	// Body is the start of the body, at most 64 KiB, in base64 if BodyEncoding says so.
	Body             string   `json:"body"`
	BodyEncoding     string   `json:"body_encoding,omitempty"`     // base64, or empty for UTF-8 text
	BodyBytes        int64    `json:"body_bytes"`                  // the size of the whole body
	TransferEncoding []string `json:"transfer_encoding,omitempty"` // chunked for a body without a length
	// RemoteAddr is the client's address and port: those of the controller's pod for a request through the Ingress.
	RemoteAddr string `json:"remote_addr"`
}

// EchoTLS describes the TLS connection from the client.
type EchoTLS struct {
	Version string `json:"version"` // such as TLS 1.3
	Cipher  string `json:"cipher"`
	SNI     string `json:"sni"` // empty if the client sent none
}

func (a *App) echo(w http.ResponseWriter, r *http.Request) {
	start, length, err := readBody(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		sendText(w, http.StatusRequestEntityTooLarge, "body: longer than 256 MiB")
		return
	case err != nil:
		sendText(w, http.StatusBadRequest, "body: "+err.Error())
		return
	}
	e := a.describe(r)
	e.BodyBytes = length
	e.Body, e.BodyEncoding = printable(start)

	w.Header().Set("Content-Type", "application/json")
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	_ = out.Encode(e)
}

func (a *App) describe(r *http.Request) Echo {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	e := Echo{
		Pod: a.Identity.Pod, Namespace: a.Identity.Namespace, Node: a.Identity.Node, App: a.Name,
		Method: r.Method, Path: path, Query: query, Host: r.Host, Headers: r.Header, Protocol: r.Proto,
		TransferEncoding: r.TransferEncoding, RemoteAddr: r.RemoteAddr,
	}
	if t := r.TLS; t != nil {
		e.TLS = &EchoTLS{Version: tls.VersionName(t.Version), Cipher: tls.CipherSuiteName(t.CipherSuite), SNI: t.ServerName}
	}
	return e
}

// readBody returns the start of the body and the size of the whole body.
func readBody(body io.Reader) (start []byte, length int64, err error) {
	start, err = io.ReadAll(io.LimitReader(body, maxEchoedBody))
	if err != nil {
		return nil, 0, err
	}
	more, err := io.Copy(io.Discard, body)
	return start, int64(len(start)) + more, err
}

// printable returns UTF-8 text unchanged and other data in base64. It omits a character that the limit of 64 KiB splits.
func printable(data []byte) (text, encoding string) {
	whole := data
	for range utf8.UTFMax - 1 {
		if r, size := utf8.DecodeLastRune(whole); len(data) < maxEchoedBody || r != utf8.RuneError || size != 1 {
			break
		}
		whole = whole[:len(whole)-1]
	}
	if utf8.Valid(whole) {
		return string(whole), ""
	}
	return base64.StdEncoding.EncodeToString(data), "base64"
}
