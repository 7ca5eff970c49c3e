package nodeapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// listen is a program in the pod. It returns each connection's text in upper case after its end.
func listen(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				text, err := io.ReadAll(conn)
				if err == nil {
					_, _ = conn.Write(bytes.ToUpper(text))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// forward starts a port-forward. It returns the local port, the forward's error, and its messages.
func forward(t *testing.T, config *rest.Config, port int) (local uint16, ended <-chan error) {
	t.Helper()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		t.Fatal(err)
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, parse(t, config, "/portForward/shop/web-0"))
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- forwarder.ForwardPorts() }()
	t.Cleanup(func() { close(stop) })
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("forward ended: %v", err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	return ports[0].Local, done
}

// say sends text through a local port and returns the response.
func say(ctx context.Context, port uint16, text string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	if half, ok := conn.(*net.TCPConn); ok {
		if err := half.CloseWrite(); err != nil {
			return "", err
		}
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func TestPortForwardHandlesConcurrentConnections(t *testing.T) {
	program := listen(t)
	config, _ := serve(t, &fakeNode{dial: func(ctx context.Context, port uint16) (net.Conn, error) {
		if port != 80 {
			return nil, fmt.Errorf("port %d", port)
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", program)
	}})
	local, _ := forward(t, config, 80)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			text := strings.Repeat(fmt.Sprintf("line %d of a long story\n", i), 2000)
			got, err := say(t.Context(), local, text)
			if err != nil || got != strings.ToUpper(text) {
				t.Errorf("connection %d: %d of %d bytes, %v", i, len(got), len(text), err)
			}
		})
	}
	wait.Wait()
}

func TestPortForwardReportsClosedPort(t *testing.T) {
	config, _ := serve(t, &fakeNode{dial: func(context.Context, uint16) (net.Conn, error) {
		return nil, fmt.Errorf("dial tcp 127.0.0.1:81: connect: connection refused")
	}})
	local, ended := forward(t, config, 81)
	// kubectl ends the forward at the first error that arrives while it listens for errors.
	for {
		if got, _ := say(t.Context(), local, "hello"); got != "" {
			t.Fatalf("got a response: %q", got)
		}
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "lost connection to pod") {
				t.Errorf("got %v", err)
			}
			return
		default:
		}
	}
}

func TestForwardedConnectionEndsWithClient(t *testing.T) {
	inside, outside := net.Pipe()
	dialed := make(chan struct{})
	config, _ := serve(t, &fakeNode{dial: func(context.Context, uint16) (net.Conn, error) {
		close(dialed)
		return inside, nil
	}})
	ctx, kill := context.WithCancel(t.Context())
	config.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	local, _ := forward(t, config, 80)
	go func() { _, _ = say(ctx, local, "hello") }()
	<-dialed
	if _, err := io.ReadFull(outside, make([]byte, len("hello"))); err != nil {
		t.Fatal(err)
	}
	kill()
	if _, err := outside.Read(make([]byte, 1)); err == nil {
		t.Error("connection to the pod is still open")
	}
}
