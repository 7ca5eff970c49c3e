package proxy

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// feedPieces feeds a stream in pieces of n bytes.
func feedPieces(stream string, n int) *framing {
	var f framing
	for len(stream) > 0 {
		piece := min(n, len(stream))
		f.feed([]byte(stream[:piece]))
		stream = stream[piece:]
	}
	return &f
}

// The result is the same for all ways to split a stream into packets.
func TestFramingIgnoresPacketBoundaries(t *testing.T) {
	for _, stream := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\r\n0\r\n\r\nGET / HTTP/1.1\nX: y\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
	} {
		whole := feedPieces(stream, len(stream))
		for n := 1; n < 8; n++ {
			if got := feedPieces(stream, n); got.violation != whole.violation || got.violationAt != whole.violationAt ||
				got.requests != whole.requests {
				t.Errorf("%q in pieces of %d: request %d of %d: %q; at once: request %d of %d: %q", stream, n,
					got.violationAt, got.requests, got.violation, whole.violationAt, whole.requests, whole.violation)
			}
		}
	}
}

func TestFramingViolationAppliesToOneRequest(t *testing.T) {
	f := feedPieces("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nA: b\n\r\n", 100)
	if f.violationAt != 2 {
		t.Errorf("violation in request %d, want 2", f.violationAt)
	}
	f = feedPieces("POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n", 100)
	if f.violationAt != 2 {
		t.Errorf("a violation in a body applies to request %d, want the next one", f.violationAt)
	}
}

func TestFramingAllocatesNothing(t *testing.T) {
	stream := []byte("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nUser-Agent: x\r\n\r\nabc")
	var f framing
	if n := testing.AllocsPerRun(100, func() { f.feed(stream) }); n > 0 {
		t.Errorf("%v allocations per request", n)
	}
	if f.violation != "" {
		t.Error(f.violation)
	}
}

// Without a violation, the state machine must agree with net/http about where requests end. If the
// two parse a stream differently, a backend could too.
func FuzzFramingAgreesWithNetHTTP(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, stream string) {
		machine := feedPieces(stream, 7)
		reader := bufio.NewReader(strings.NewReader(stream))
		complete := 0
		for {
			request, err := http.ReadRequest(reader)
			if err != nil {
				break
			}
			if machine.violation != "" && machine.violationAt <= complete+1 {
				return // it is refused and not forwarded
			}
			if _, err := io.Copy(io.Discard, request.Body); err != nil {
				break
			}
			complete++
		}
		if machine.violation == "" && machine.requests < complete {
			t.Errorf("net/http reads %d requests, the state machine %d", complete, machine.requests)
		}
	})
}

func BenchmarkFraming(b *testing.B) {
	stream := []byte("GET /path/to/thing HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: " + strings.Repeat("x", 200) + "\r\n\r\n")
	b.SetBytes(int64(len(stream)))
	var f framing
	for b.Loop() {
		f.feed(stream)
	}
}
