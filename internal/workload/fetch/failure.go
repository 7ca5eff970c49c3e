package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// The exit codes of curl that can happen here.
// https://curl.se/docs/manpage.html#EXIT
const (
	exitProtocol       = 1
	exitUsage          = 2
	exitURL            = 3
	exitResolve        = 6
	exitConnect        = 7
	exitPartial        = 18
	exitHTTP           = 22
	exitWrite          = 23
	exitRead           = 26
	exitTimeout        = 28
	exitTLS            = 35
	exitRedirects      = 47
	exitEmpty          = 52
	exitReceive        = 56
	exitVerify         = 60
	exitAborted        = 42
	wgetFailed         = 1
	wgetServerAnswered = 8
)

// failure is an error with the exit code that curl has for it.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failf(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

func codeOf(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	}
	return exitReceive
}

// explain finds out what kept a request from an answer. address is host:port as in the URL.
func explain(err error, address string) error {
	var (
		dns    *net.DNSError
		op     *net.OpError
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return failf(exitAborted, "interrupted: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return failf(exitTimeout, "timed out: %s: %w", address, err)
	case errors.As(err, &dns):
		return failf(exitResolve, "could not resolve host %s: %w", dns.Name, err)
	case errors.As(err, &op) && op.Op == "dial":
		return failf(exitConnect, "failed to connect to %s: %w", address, err)
	case errors.As(err, &verify):
		return failf(exitVerify, "certificate of %s: %w; -k goes on without verifying it", address, err)
	case errors.As(err, &record), errors.As(err, &alert):
		return failf(exitTLS, "TLS with %s: %w", address, err)
	case errors.Is(err, syscall.ECONNRESET):
		return failf(exitReceive, "connection to %s was reset: %w", address, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failf(exitEmpty, "empty reply from server %s: %w", address, err)
	}
	return failf(exitReceive, "%s: %w", address, err)
}

// explainBody finds out what cut an answer short.
func explainBody(err error, address string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return failf(exitPartial, "%s closed the connection before the end of its answer: %w", address, err)
	}
	return explain(err, address)
}
