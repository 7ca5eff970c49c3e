package workload_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func TestControlsRejectInvalidParameters(t *testing.T) {
	app := newBackend(t)
	tests := []struct{ target, says string }{
		{"/slow?d=2", `d: "2" is not a duration such as 500ms or 2s`},
		{"/slow?d=-1s", "d: -1s is not between 0s and 5m0s"},
		{"/slow?d=10m", "d: 10m is not between 0s and 5m0s"},
		{"/slow?delay=2s", "delay: unknown parameter; /slow has d, before"},
		{"/slow?d=1s&d=2s", "d: given 2 times"},
		{"/slow?before=tea", `before: "tea" is not one of headers, body`},
		{"/slow?d=%zz", "query: invalid URL escape"},
		{"/status", `status: "" is not a status code`},
		{"/status/", `status: "" is not a status code`},
		{"/status/abc", `status: "abc" is not a status code`},
		{"/status/100", "status: 100 is not between 200 and 599"},
		{"/status/600", "status: 600 is not between 200 and 599"},
		{"/status/200?location=/x", "location: requires a redirect"},
		{"/fail?rate=1.5", `rate: "1.5" is not a fraction between 0 and 1`},
		{"/fail?rate=NaN", `rate: "NaN" is not a fraction between 0 and 1`},
		{"/fail?status=200", "status: 200 is not between 400 and 599"},
		{"/fail?how=loudly", `how: "loudly" is not one of status, close, truncate`},
		{"/stream?n=-1", "n: -1 is not between 0 and 100000"},
		{"/stream?n=ten", `n: "ten" is not a whole number`},
		{"/bytes?n=1073741825", "n: 1073741825 is not between 0 and 1073741824"},
		{"/bytes?n=99999999999999999999", "is not a whole number"},
		{"/upgrade?x=1", "x: unknown parameter; /upgrade has none"},
	}
	for _, tt := range tests {
		w := ask(app, "GET", tt.target)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("GET %s: %d %q, want 400 with %q", tt.target, w.Code, w.Body, tt.says)
		}
	}
}

func TestSlowWaits(t *testing.T) {
	app := newBackend(t)
	for target, body := range map[string]string{
		"/slow?d=90s":             "This is Web Server 1 running on 8080!",
		"/slow?d=90s&before=body": "This body came 1m30s after its headers.",
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			w := ask(app, "GET", target)
			if took := time.Since(start); took != 90*time.Second {
				t.Errorf("GET %s: took %s, want 90s", target, took)
			}
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), body) {
				t.Errorf("GET %s: %d %q, want 200 with %q", target, w.Code, w.Body, body)
			}
			if w.Flushed != strings.Contains(target, "before=body") {
				t.Errorf("GET %s: headers flushed early: %t", target, w.Flushed)
			}
		})
	}
}

func TestSlowStopsWhenClientDisconnects(t *testing.T) {
	app := newBackend(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/slow?d=1m", nil))
		if took := time.Since(start); took != time.Second {
			t.Errorf("went on for %s after a client that left after 1s", took)
		}
	})
}

func TestStatusOfRedirectsAndEmptyResponses(t *testing.T) {
	app := newBackend(t)
	if w := ask(app, "GET", "/status/302?location=/elsewhere"); w.Code != 302 || w.Header().Get("Location") != "/elsewhere" {
		t.Errorf("302: %d to %q, want /elsewhere", w.Code, w.Header().Get("Location"))
	}
	for _, target := range []string{"/status/204", "/status/304"} {
		if w := ask(app, "GET", target); w.Body.Len() != 0 {
			t.Errorf("GET %s: body %q where HTTP allows none", target, w.Body)
		}
	}
}

func TestFailFailsShareOfRequests(t *testing.T) {
	app := newBackend(t)
	const n = 2000
	failed := 0
	for range n {
		if ask(app, "GET", "/fail?rate=0.5&status=503").Code == 503 {
			failed++
		}
	}
	// 8 standard deviations of a binomial share: wrong once in 10^15 runs.
	if failed < n/2-179 || failed > n/2+179 {
		t.Errorf("%d of %d failed, want about half", failed, n)
	}
	if w := ask(app, "GET", "/fail?rate=0"); w.Code != 200 {
		t.Errorf("rate 0: status %d, want 200", w.Code)
	}
	if w := ask(app, "GET", "/fail"); w.Code != 500 {
		t.Errorf("no rate: status %d, want 500", w.Code)
	}
}

func TestFailClosesConnection(t *testing.T) {
	server := httptest.NewServer(newBackend(t))
	defer server.Close()
	if resp, err := http.Get(server.URL + "/fail?how=close"); !errors.Is(err, io.EOF) {
		t.Errorf("close: answer %v, error %v, want EOF", resp, err)
	}
	resp, err := http.Get(server.URL + "/fail?how=truncate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || int64(len(body)) != resp.ContentLength/2 {
		t.Errorf("truncate: %d of %d bytes and %v, want half of them and unexpected EOF", len(body), resp.ContentLength, err)
	}
}

// The test hangs if the server delays an event until the next one.
func TestStreamFlushesEachEvent(t *testing.T) {
	server := httptest.NewServer(newBackend(t))
	defer server.Close()
	resp, err := http.Get(server.URL + "/stream?n=2&every=5m")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "event 1 of 2\n" {
		t.Errorf("first line %q, %v", line, err)
	}
}

func TestStreamPausesBetweenEvents(t *testing.T) {
	app := newBackend(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := ask(app, "GET", "/stream?n=3&every=2s", "Accept", "text/event-stream")
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("took %s, want two pauses of 2s", took)
		}
		want := "id: 1\ndata: event 1 of 3\n\nid: 2\ndata: event 2 of 3\n\nid: 3\ndata: event 3 of 3\n\n"
		if w.Header().Get("Content-Type") != "text/event-stream" || w.Body.String() != want {
			t.Errorf("%s: %q, want %q", w.Header().Get("Content-Type"), w.Body, want)
		}
	})
	if w := ask(app, "GET", "/stream?n=0"); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("n=0: %d %q, want 200 and nothing", w.Code, w.Body)
	}
}

func TestBytesAreConstant(t *testing.T) {
	w := ask(newBackend(t), "GET", "/bytes?n=100000")
	if w.Header().Get("Content-Length") != "100000" || w.Body.Len() != 100000 {
		t.Fatalf("%s promised, %d sent, want 100000", w.Header().Get("Content-Length"), w.Body.Len())
	}
	for i, b := range w.Body.Bytes() {
		if b != byte('a'+i%26) {
			t.Fatalf("byte %d is %q", i, b)
		}
	}
}

func TestUpgradeEchoesMessages(t *testing.T) {
	server := httptest.NewServer(newBackend(t))
	defer server.Close()
	conn, _, err := websocket.Dial(t.Context(), server.URL+"/shop/upgrade", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		if err := conn.Write(t.Context(), kind, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		got, message, err := conn.Read(t.Context())
		if err != nil || got != kind || string(message) != "hello" {
			t.Errorf("echo of %v: %v %q, %v", kind, got, message, err)
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestUpgradeRequiresWebSocket(t *testing.T) {
	w := ask(newBackend(t), "GET", "/upgrade")
	if w.Code != http.StatusUpgradeRequired || w.Header().Get("Upgrade") != "websocket" {
		t.Errorf("%d, Upgrade %q; want 426, websocket", w.Code, w.Header().Get("Upgrade"))
	}
}

func TestCrashRequiresPOST(t *testing.T) {
	if w := ask(newBackend(t), "GET", "/crash"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET /crash: %d, Allow %q; want 405, POST", w.Code, w.Header().Get("Allow"))
	}
}
