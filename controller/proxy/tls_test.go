package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

func TestHTTP2AndDefaultCertificate(t *testing.T) {
	config, err := proxy.New(proxy.Options{}).TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := proxy.NewHTTPServer(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %t", q.Proto, q.TLS != nil)
	}))
	server.TLSConfig = config
	secure := proxy.ListenTLS(listener, config)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(secure) // ends with the Close below
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	for _, h2 := range []bool{true, false} {
		checkTLS(t, listener.Addr().String(), h2)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	if reply, _ := io.ReadAll(conn); !strings.Contains(string(reply), "this port speaks HTTPS") {
		t.Errorf("plain HTTP gets %q", reply)
	}
}

func checkTLS(t *testing.T, address string, h2 bool) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	transport := &http.Transport{
		Protocols:         &protocols,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the test is about the self-signed certificate
		DisableKeepAlives: true,
	}
	response, err := (&http.Client{Transport: transport}).Get("https://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	if want := map[bool]string{true: "HTTP/2.0 true", false: "HTTP/1.1 true"}[h2]; string(body) != want {
		t.Errorf("served as %q, want %q", body, want)
	}
	if names := response.TLS.PeerCertificates[0].DNSNames; len(names) != 1 {
		t.Errorf("certificate for %v, want one DNS name", names)
	}
}
