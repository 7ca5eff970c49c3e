package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener accepts in-memory connections, which work with the clock of synctest.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// serve runs the dashboard on a server with the controller's write timeout of 30 s, and returns a
// client.
func serve(t *testing.T, d *Dashboard) *http.Client {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: d, WriteTimeout: 30 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }() // it ends with ErrServerClosed
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, server := net.Pipe()
		select {
		case l.conns <- server:
			return client, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return &http.Client{Transport: transport}
}

// event is one event of a stream. The name of a comment is its text.
type event struct{ name, data string }

// open starts a stream, which ends with the test.
func open(t *testing.T, client *http.Client, query string) <-chan event {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://status/api/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	events := make(chan event, 1000)
	go func() {
		defer close(events)
		defer func() { _ = response.Body.Close() }()
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "":
				if value != "" {
					e.name = value
				}
				events <- e
				e = event{}
			case "event":
				e.name = value
			case "data":
				e.data = value
			}
		}
	}()
	return events
}

// drain returns the received events once all goroutines are blocked.
func drain(events <-chan event) []event {
	synctest.Wait()
	var list []event
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return list
			}
			list = append(list, e)
		default:
			return list
		}
	}
}

func TestTableEventIsImmediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(source())
		events := open(t, serve(t, d), "")
		if got := drain(events); len(got) != 1 || got[0] != (event{"table", "0"}) {
			t.Fatalf("the first events are %v, want the number of the table", got)
		}
		before := time.Now()
		d.Changed()
		if got := drain(events); len(got) != 1 || got[0] != (event{"table", "1"}) || time.Since(before) > 0 {
			t.Errorf("got %v after %s", got, time.Since(before))
		}
	})
}

func TestStreamSendsChangedStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source()
		var requests atomic.Uint64
		requests.Store(9)
		s.Traffic = func() Traffic { return Traffic{Requests: requests.Load(), Active: 3} }
		events := open(t, serve(t, New(s)), "")
		wait := func(d time.Duration) []event { <-time.After(d); return drain(events) }
		first := wait(1500 * time.Millisecond)
		if len(first) != 2 || first[1].name != "figures" {
			t.Fatalf("after a second: %v", first)
		}
		var figures map[string]string
		if err := json.Unmarshal([]byte(first[1].data), &figures); err != nil || figures["requests"] != "9" || figures["connections"] != "3" {
			t.Errorf("figures %v, %v", figures, err)
		}
		if idle := wait(5 * time.Second); len(idle) != 0 {
			t.Errorf("got %v without a change", idle)
		}
		requests.Store(10)
		if got := wait(time.Second); len(got) != 1 || got[0] != (event{"figures", `{"requests":"10"}`}) {
			t.Errorf("after a request: %v", got)
		}
	})
}

// The write timeout does not end a stream, and comments show proxies that it is alive.
func TestIdleStreamStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(source())
		events := open(t, serve(t, d), "")
		<-time.After(time.Hour)
		comments := 0
		for _, e := range drain(events) {
			if e.name == "still here" {
				comments++
			}
		}
		if comments < 200 {
			t.Errorf("%d comments in an hour of silence, want one every 16 s", comments)
		}
		d.Changed()
		if got := drain(events); len(got) != 1 || got[0].name != "table" {
			t.Errorf("after an hour a swap is announced as %v", got)
		}
	})
}

// A reader that reads nothing is dropped; otherwise it would hold its place forever.
func TestStuckReaderLosesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(source())
		here, there := net.Pipe()
		l := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conns <- there
		server := &http.Server{Handler: d, WriteTimeout: 30 * time.Second}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.Serve(l) }() // it ends with ErrServerClosed
		if _, err := here.Write([]byte("GET /api/v1/events HTTP/1.1\r\nHost: status\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(d.streams) != 1 {
			t.Fatalf("%d streams are open, want 1", len(d.streams))
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if len(d.streams) != 0 {
			t.Error("a reader that takes nothing holds its place")
		}
		_ = server.Close()
		_ = here.Close()
		<-done
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(source())
		client := serve(t, d)
		for range maxStreams {
			drain(open(t, client, ""))
		}
		response, err := client.Get("http://status/api/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("one stream too many gets status %d", response.StatusCode)
		}
	})
}

// The names under which figures are sent are those of elements of the page.
func TestFiguresHaveTheirPlaceOnThePage(t *testing.T) {
	s := served()
	body := get(t, s, "/").Body.String()
	figures := s.figures(s.overview(""))
	if len(figures) < 7 {
		t.Fatalf("figures %v, want those of an endpoint, too", figures)
	}
	for name := range figures {
		if !strings.Contains(body, `data-figure="`+name+`"`) {
			t.Errorf("the page has no place for %q", name)
		}
	}
}
