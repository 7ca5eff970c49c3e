package nodeapi_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const written = `2026-01-02T03:04:05.1Z stdout F one
2026-01-02T03:04:06Z stderr F two
2026-01-02T03:04:07.000000007Z stdout P thr
2026-01-02T03:04:07.000000008Z stdout F ee
not a line of a log
2026-01-02T03:04:08Z stdout F 
2026-01-02T03:04:09Z stdout F five 5
`

// logFile returns a node whose container's log contains text, and the path of the log.
func logNode(t *testing.T, text string, ended chan struct{}) (*fakeNode, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "0.log")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &fakeNode{log: func(previous bool) (string, <-chan struct{}, error) {
		if previous {
			return "", nil, fmt.Errorf("previous terminated container %q in pod %q not found", "web", "web-0")
		}
		return file, ended, nil
	}}, file
}

func TestLogOptions(t *testing.T) {
	node, _ := logNode(t, written, make(chan struct{}))
	config, _ := serve(t, node)
	for query, want := range map[string]string{
		"":                               "one\ntwo\nthree\n\nfive 5\n",
		"tailLines=2":                    "\nfive 5\n",
		"tailLines=0":                    "",
		"tailLines=100":                  "one\ntwo\nthree\n\nfive 5\n",
		"limitBytes=5":                   "one\nt",
		"limitBytes=0":                   "",
		"sinceTime=2026-01-02T03:04:08Z": "\nfive 5\n",
		"sinceSeconds=1":                 "",
		"stream=Stderr":                  "two\n",
		"stream=Stdout&limitBytes=8":     "one\nthre",
		"stream=All&tailLines=1":         "five 5\n",
		"timestamps=true&tailLines=5": "2026-01-02T03:04:07.000000007Z three\n2026-01-02T03:04:08.000000000Z \n" +
			"2026-01-02T03:04:09.000000000Z five 5\n",
	} {
		if status, body := get(t, config, "/containerLogs/shop/web-0/web?"+query); status != http.StatusOK || body != want {
			t.Errorf("%s\n got %d %q\nwant %q", query, status, body, want)
		}
	}
	status, body := get(t, config, "/containerLogs/shop/web-0/web?previous=true")
	if status != http.StatusBadRequest || body != `previous terminated container "web" in pod "web-0" not found` {
		t.Errorf("got %d %q", status, body)
	}
}

func TestTailOfLongLog(t *testing.T) {
	var all, want strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&all, "2026-01-02T03:04:05Z stdout F line %d\n", i)
		if i >= 20000-5000 {
			fmt.Fprintf(&want, "line %d\n", i)
		}
	}
	node, _ := logNode(t, all.String(), make(chan struct{}))
	config, _ := serve(t, node)
	if _, body := get(t, config, "/containerLogs/shop/web-0/web?tailLines=5000"); body != want.String() {
		t.Errorf("got %d bytes, want %d", len(body), want.Len())
	}
}

func TestMissingLogIsEmpty(t *testing.T) {
	node, file := logNode(t, "", make(chan struct{}))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	config, _ := serve(t, node)
	if status, body := get(t, config, "/containerLogs/shop/web-0/web"); status != http.StatusOK || body != "" {
		t.Errorf("got %d %q", status, body)
	}
}

func TestFollowEndsWithContainer(t *testing.T) {
	ended := make(chan struct{})
	node, file := logNode(t, written, ended)
	config, _ := serve(t, node)
	response := open(t, config, "/containerLogs/shop/web-0/web?follow=true&tailLines=1")
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
	log, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	write := func(text string) {
		t.Helper()
		if _, err := log.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	expect("five 5")
	write("2026-01-02T03:04:10Z stdout F six\n2026-01-02T03:04:11Z stdout F sev")
	expect("six")
	write("en\n")
	expect("seven")
	write("2026-01-02T03:04:12Z stdout F last words\n")
	close(ended)
	expect("last words")
	if lines.Scan() {
		t.Errorf("output after the end of the container: %q", lines.Text())
	}
}

func TestFollowContinuesInNextFile(t *testing.T) {
	ended := make(chan struct{})
	node, file := logNode(t, "2026-01-02T03:04:05Z stdout F one\n", ended)
	config, _ := serve(t, node)
	response := open(t, config, "/containerLogs/shop/web-0/web?follow=true")
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for _, number := range []string{"one", "two", "three"} {
		if !lines.Scan() || lines.Text() != number {
			t.Fatalf("got %q, want %q", lines.Text(), number)
		}
		next := map[string]string{"one": "two", "two": "three"}[number]
		if next == "" {
			break
		}
		if err := os.WriteFile(file+".next", []byte("2026-01-02T03:04:06Z stdout F "+next+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".next", file); err != nil {
			t.Fatal(err)
		}
	}
	close(ended)
	if lines.Scan() {
		t.Errorf("unexpected output: %q", lines.Text())
	}
}

func TestFollowEndsWithNode(t *testing.T) {
	node, _ := logNode(t, written, make(chan struct{}))
	config, stop := serve(t, node)
	response := open(t, config, "/containerLogs/shop/web-0/web?follow=true&sinceTime="+time.Now().Format(time.RFC3339))
	defer func() { _ = response.Body.Close() }()
	stop()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		t.Errorf("got %q", lines.Text())
	}
}
