package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outcome reads a child's status socket to its end: the child has become its program, or says why not. The terminal is nil
// if it has none.
func outcome(ctx context.Context, status *net.UnixConn) (terminal *os.File, err error) {
	defer func() { _ = status.Close() }() // read to its end
	stop := context.AfterFunc(ctx, func() { _ = status.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	said, terminal, err := listen(status)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	if err == nil && len(said) > 0 {
		err = failed(said)
	}
	if err != nil && terminal != nil {
		_ = terminal.Close() // not used
		terminal = nil
	}
	return terminal, err
}

func listen(status *net.UnixConn) (said []byte, terminal *os.File, err error) {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := status.ReadMsgUnix(buf, oob)
		if oobn > 0 {
			terminal = received(oob[:oobn])
		}
		said = append(said, buf[:n]...)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, terminal, err
		}
		if err != nil || n == 0 {
			return bytes.TrimPrefix(said, []byte{terminalFollows}), terminal, nil
		}
	}
}

// received returns the terminal that came with a message.
func received(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that reading it can be ended
		_ = unix.Close(fds[0])
		return nil
	}
	return os.NewFile(uintptr(fds[0]), "terminal")
}

// failed makes an error of what a child said.
func failed(said []byte) error {
	var f failure
	if err := json.Unmarshal(said, &f); err != nil {
		return fmt.Errorf("the child said %q", said)
	}
	cause := error(&childError{f.Message, syscall.Errno(f.Errno)})
	if f.NotFound {
		cause = exec.ErrNotFound
	}
	if f.Exec {
		return &ExecError{Command: f.Command, Err: cause}
	}
	return cause
}

// childError is an error of another process.
type childError struct {
	message string
	errno   syscall.Errno
}

func (e *childError) Error() string { return e.message }

// Is lets errors.Is find what the kernel said.
func (e *childError) Is(target error) bool {
	return e.errno != 0 && (errors.Is(e.errno, target))
}
