package relay_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// BenchmarkHTTP compares a connection that is carried with one that is not: "small" is the latency of a request on a
// connection that is kept, "large" the throughput of a body.
func BenchmarkHTTP(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		for chunk := make([]byte, 64<<10); n > 0; n -= len(chunk) {
			_, _ = w.Write(chunk[:min(n, len(chunk))])
		}
	}))
	b.Cleanup(server.Close)
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"small", 100}, {"large", 64 << 20}} {
		for _, way := range []struct {
			name    string
			address net.Addr
		}{{"direct", server.Listener.Addr()}, {"carried", carried(b, to(server.Listener.Addr()))}} {
			b.Run(size.name+"/"+way.name, func(b *testing.B) {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				url := "http://" + way.address.String() + "/?bytes=" + strconv.FormatInt(size.bytes, 10)
				b.SetBytes(size.bytes)
				for b.Loop() {
					get(b, client, url, size.bytes)
				}
			})
		}
	}
}

func get(b *testing.B, client *http.Client, url string, want int64) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if n, err := io.Copy(io.Discard, response.Body); n != want || err != nil {
		b.Fatalf("got %d of %d bytes: %v", n, want, err)
	}
}
