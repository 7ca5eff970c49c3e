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

// BenchmarkHTTP compares a relayed connection with a direct one. "small" measures the latency of a
// request on a kept-alive connection, and "large" the throughput of a body.
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
		for _, route := range []struct {
			name    string
			address net.Addr
		}{{"direct", server.Listener.Addr()}, {"relayed", relayed(b, to(server.Listener.Addr()))}} {
			b.Run(size.name+"/"+route.name, func(b *testing.B) {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				url := "http://" + route.address.String() + "/?bytes=" + strconv.FormatInt(size.bytes, 10)
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
