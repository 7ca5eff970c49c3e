package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sample() *Record {
	return &Record{
		Time: time.Date(2026, 5, 4, 3, 2, 1, 987_654_321, time.FixedZone("", 7200)), Duration: 1500 * time.Microsecond,
		Method: "GET", Host: "shop.test", Path: "/a", Protocol: "HTTP/1.1", Client: "192.0.2.9", Status: 200, BytesOut: 12,
		Ingress: "shop/web", Service: "shop/web:80", Endpoint: "10.0.0.1:80", Tries: 1, RequestID: "id",
	}
}

func TestRecordIsOneJSONLine(t *testing.T) {
	hostile := sample()
	hostile.Path, hostile.Host, hostile.Reason = "/\"\\\n\x01é\xff", `"}{"`, "</script>"
	for _, record := range []*Record{sample(), hostile} {
		line := appendRecord(nil, record)
		if bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", line)
		}
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got["time"] != "2026-05-04T01:02:01.987Z" || got["duration_ms"] != 1.5 || got["status"] != 200.0 || got["host"] != record.Host {
			t.Errorf("got %v", got)
		}
	}
}

func TestRecordIsOneCombinedLine(t *testing.T) {
	record := sample()
	record.User, record.UserAgent = "ali", "probe/1 \"x\"\n\x7f"
	want := `192.0.2.9 - ali [04/May/2026:01:02:01 +0000] "GET /a HTTP/1.1" 200 12 "-" "probe/1 \x22x\x22\x0A\x7F"` + "\n"
	if got := string(appendCombined(nil, record)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestAccessLogChangesFormat(t *testing.T) {
	var out bytes.Buffer
	log := NewAccessLog(&out)
	for _, name := range []string{"json", "off", "combined"} {
		format, ok := ParseLogFormat(name)
		if !ok {
			t.Fatalf("%s is not a format", name)
		}
		log.SetFormat(format)
		log.Write(sample())
	}
	log.Close()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || lines[0][0] != '{' || !strings.HasPrefix(lines[1], "192.0.2.9 - - [") {
		t.Errorf("got %q, want a line of JSON and a combined one", lines)
	}
}

func TestAccessLogFlushesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		log := NewAccessLog(writer)
		log.Write(sample())
		buffer := make([]byte, 1024)
		n, err := reader.Read(buffer) // without Close and without another line
		if err != nil || !strings.Contains(string(buffer[:n]), "shop.test") {
			t.Errorf("got %q, %v", buffer[:n], err)
		}
		log.Close()
	})
}

func TestAccessLogCloseWritesPendingLines(t *testing.T) {
	var out bytes.Buffer
	log := NewAccessLog(&out)
	for range 1000 {
		log.Write(sample())
	}
	log.Close()
	if got := strings.Count(out.String(), "\n"); got != 1000 {
		t.Errorf("%d lines of 1000", got)
	}
	log.Write(sample())
	if log.Dropped() != 1 {
		t.Errorf("%d dropped after the end, want 1", log.Dropped())
	}
}

// A blocked log collector must not block requests.
func TestAccessLogOmitsUnloggedRequests(t *testing.T) {
	var out bytes.Buffer
	log := NewAccessLog(&out)
	quiet := sample()
	quiet.Unlogged, quiet.Path = true, "/quiet"
	log.Write(quiet)
	log.Write(sample())
	log.Close()
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "/quiet") {
		t.Errorf("the log has %q", got)
	}
}

func TestAccessLogDropsLinesWhenBlocked(t *testing.T) {
	reader, writer := io.Pipe()
	log := NewAccessLog(writer) // without a reader
	line := len(appendRecord(nil, sample()))
	for range 2*maxPending/line + 10 {
		log.Write(sample())
	}
	if log.Dropped() == 0 {
		t.Error("nothing dropped: memory grows without bound")
	}
	_ = reader.Close()
	log.Close()
}

func BenchmarkRecordLine(b *testing.B) {
	var line []byte
	record := sample()
	b.ReportAllocs()
	for b.Loop() {
		line = appendRecord(line[:0], record)
	}
}
