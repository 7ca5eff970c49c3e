package container_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLogFormat(t *testing.T) {
	s := spec(t, "echo one ; warn two ; long 40000 ; echo  ; print no end")
	if err := os.WriteFile(s.Log, []byte("2026-01-01T00:00:00Z stdout F from before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	c := start(t, s)
	<-c.Done()
	data, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		at, err := time.Parse(time.RFC3339Nano, f[0])
		if err != nil || len(f) != 4 {
			t.Fatalf("invalid log line: %q", line)
		}
		if len(got) > 0 && (at.Before(before.Add(-time.Second)) || at.After(time.Now())) {
			t.Errorf("time of line %q is wrong", line)
		}
		if len(f[3]) > 100 {
			f[3] = fmt.Sprint(strings.Count(f[3], "x"), " x")
		}
		entry := strings.Join(f[1:], " ")
		if entry == "stderr F two" { // the order of the streams is undefined
			continue
		}
		got = append(got, entry)
	}
	want := []string{
		"stdout F from before", "stdout F one", "stdout P 16384 x", "stdout P 16384 x", "stdout F 7232 x", "stdout F ", "stdout F no end",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || !strings.Contains(string(data), " stderr F two\n") {
		t.Errorf("log:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFailedLogWriteDoesNotStopContainer(t *testing.T) {
	s := spec(t, "long 100000 ; exit 3")
	s.Log = "/dev/full"
	c := start(t, s)
	<-c.Done()
	if e := c.Exit(); e.Code != 3 {
		t.Errorf("exit: %+v", e)
	}
}

func TestLogRotates(t *testing.T) {
	s := spec(t, "echo first ; long 10500000 ; echo last")
	c := start(t, s)
	<-c.Done()
	info, err := os.Stat(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	if text := logText(t, s.Log); info.Size() > 10<<20 || !strings.HasSuffix(text, "last\n") || strings.HasPrefix(text, "first") {
		t.Errorf("%d bytes, starting with %.20q", info.Size(), text)
	}
	if left, err := filepath.Glob(s.Log + "?*"); err != nil || len(left) > 0 {
		t.Errorf("other files: %v (%v)", left, err)
	}
}
