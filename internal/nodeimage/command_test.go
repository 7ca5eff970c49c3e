//go:build unix

package nodeimage

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCommandErrorHasReason(t *testing.T) {
	err := processes{}.run(t.Context(), command{name: "sh", args: []string{"-c", "echo first; echo 'the reason' >&2; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "sh -c") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("err = %v", err)
	}
	if reason(err) != "the reason" {
		t.Errorf("reason = %q", reason(err))
	}
}

func TestCommandSplitsOutputAndLines(t *testing.T) {
	var lines []string
	out, err := output(t.Context(), processes{}, command{
		name: "sh", args: []string{"-c", `echo data; printf 'one\rtwo\n\nthree' >&2`},
		line: func(line string) { lines = append(lines, line) },
	})
	if err != nil || out != "data" {
		t.Errorf("output = %q, %v", out, err)
	}
	if !slices.Equal(lines, []string{"one", "two", "three"}) {
		t.Errorf("lines = %q", lines)
	}
}

// go build and mmdebstrap start programs that start programs. All of them hold the pipe open, so it
// ends only after the last of them.
func TestCommandStopsProcessGroup(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("interrupted by the user")
	err = processes{grace: 50 * time.Millisecond}.run(ctx, command{
		name: "sh", args: []string{"-c", "(trap '' TERM; sleep 600) & sleep 600 & echo started >&2; wait"},
		stdout: writer,
		line:   func(string) { cancel(stopped) },
	})
	if !errors.Is(err, stopped) {
		t.Errorf("err = %v", err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(reader); err != nil {
		t.Error(err)
	}
}
