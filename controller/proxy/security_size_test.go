package proxy_test

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// flood writes start and then repeats piece, until 100 MB are written or a write fails. It returns
// the bytes written, the memory that the process allocated meanwhile, and the response.
func (r *rig) flood(start, piece string) (taken, allocated uint64, reply string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	block := []byte(strings.Repeat(piece, 64<<10/len(piece)))
	got := await(conn)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = io.WriteString(conn, start)
	for err == nil && taken < 100<<20 {
		var n int
		n, err = conn.Write(block)
		taken += uint64(n)
	}
	reply = (<-got).text
	runtime.ReadMemStats(&after)
	return taken, after.TotalAlloc - before.TotalAlloc, reply
}

// A header of 100 MB must cost the client more than the proxy. The proxy reads no more than its
// limit, responds with 431, and closes the connection. Further bytes stay in the kernel's buffers.
func TestHugeHeadersAreRefused(t *testing.T) {
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	for name, c := range map[string]struct{ start, piece string }{
		"one value":          {"GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: ", "a"},
		"one name":           {"GET / HTTP/1.1\r\nHost: shop.test\r\n", "a"},
		"many fields":        {"GET / HTTP/1.1\r\nHost: shop.test\r\n", "X-A: b\r\n"},
		"many cookies":       {"GET / HTTP/1.1\r\nHost: shop.test\r\n", "Cookie: a=b; c=d\r\n"},
		"request line":       {"GET /", "a"},
		"method":             {"G", "E"},
		"second in the pipe": {"GET /first HTTP/1.1\r\nHost: shop.test\r\n\r\nGET / HTTP/1.1\r\nHost: shop.test\r\nX-A: ", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			taken, allocated, reply := r.flood(c.start, c.piece)
			if taken >= 32<<20 {
				t.Errorf("%d bytes were read", taken)
			}
			if allocated > 4<<20 {
				t.Errorf("%d bytes were allocated", allocated)
			}
			if reply != "" && !strings.Contains(reply, "HTTP/1.1 431 ") { // a reset can overtake the response
				t.Errorf("response %q", reply)
			}
			for len(reached) > 0 {
				if got := <-reached; got.target != "/first" {
					t.Errorf("the pod got %s", got.target)
				}
			}
		})
	}
}

// The trailer of a chunked body is limited as a header is.
func TestHugeTrailersAreRefused(t *testing.T) {
	r := newRig(t, proxy.Options{})
	spy(r)
	for name, piece := range map[string]string{"one value": "a", "many fields": "b\r\nX-T: "} {
		t.Run(name, func(t *testing.T) {
			const start = "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n1\r\na\r\n0\r\nX-T: "
			taken, allocated, _ := r.flood(start, piece)
			if taken >= 32<<20 || allocated > 8<<20 {
				t.Errorf("%d bytes were read, %d allocated", taken, allocated)
			}
		})
	}
}

// Over HTTP/2, a header can use any number of CONTINUATION frames (RFC 9113, 10.5.1;
// CVE-2023-45288).
func TestHugeHTTP2HeadersAreRefused(t *testing.T) {
	r := newRig(t, proxy.Options{})
	reached := spy(r)
	conn := r.dialHTTP2()
	go func() { _, _ = io.Copy(io.Discard, conn) }() // ends with the connection
	framer := http2.NewFramer(conn, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", host}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // a strings.Builder returns no errors
	}
	err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String())})
	block.Reset()
	for range 8 {
		_ = encoder.WriteField(hpack.HeaderField{Name: "x-a", Value: strings.Repeat("a", 1500), Sensitive: true})
	}
	sent := 0
	for ; err == nil && sent < 100<<20; sent += block.Len() {
		err = framer.WriteContinuation(1, false, []byte(block.String()))
	}
	if err == nil {
		t.Errorf("%d bytes of one header were taken", sent)
	}
	if len(reached) > 0 {
		t.Error("the header reached the pod")
	}
}

// dialHTTP2 opens an HTTPS listener of the rig's proxy, and returns an HTTP/2 connection to it.
func (r *rig) dialHTTP2() net.Conn {
	r.t.Helper()
	// The certificate is self-signed, which doesn't matter here.
	conn, err := tls.Dial("tcp", r.listenTLS(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		r.t.Fatal(err)
	}
	return conn
}
