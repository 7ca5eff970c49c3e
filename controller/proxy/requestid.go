package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

// maxRequestID bounds the length of a request id that a client brings along.
const maxRequestID = 128

// requestID keeps the client's X-Request-ID when there is exactly one and it is harmless in a log, a header and a page;
// otherwise it makes one: 32 hexadecimal digits, as ingress-nginx does.
func requestID(h http.Header) string {
	if ids := h["X-Request-Id"]; len(ids) == 1 && validRequestID(ids[0]) {
		return ids[0]
	}
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return hex.EncodeToString(raw[:])
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && c != '-' && c != '_' && c != '.' && c != ':' && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return true
}
