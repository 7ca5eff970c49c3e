package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
)

// The exit codes of curl and wget that this package returns.
// https://curl.se/docs/manpage.html#EXIT
const (
	exitProtocol    = 1
	exitUsage       = 2
	exitURL         = 3
	exitResolve     = 6
	exitConnect     = 7
	exitPartial     = 18
	exitHTTP        = 22
	exitWrite       = 23
	exitTimeout     = 28
	exitTLS         = 35
	exitAborted     = 42
	exitRedirects   = 47
	exitEmpty       = 52
	exitReceive     = 56
	exitVerify      = 60
	wgetFailed      = 1
	wgetServerError = 8
)

// failure is an error with curl's exit code for it.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }

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

// explain describes why there is no response. address is host:port of the URL.
func explain(err error, address string) error {
	var (
		known  *failure
		client *url.Error
		dns    *net.DNSError
		op     *net.OpError
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	if errors.As(err, &client) {
		err = client.Err // without the method and the URL, which the user knows
	}
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return failf(exitAborted, "interrupted: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return failf(exitTimeout, "timed out: %s: %w", address, err)
	case errors.As(err, &dns):
		return failf(exitResolve, "could not resolve host %s: %w", dns.Name, err)
	case errors.As(err, &op) && op.Op == "dial":
		return failf(exitConnect, "failed to connect to %s: %w", address, err)
	case errors.As(err, &verify):
		return failf(exitVerify, "certificate of %s: %w; -k skips the verification", address, err)
	case errors.As(err, &record), errors.As(err, &alert):
		return failf(exitTLS, "TLS with %s: %w", address, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failf(exitPartial, "%s closed the connection before the end of the response: %w", address, err)
	case errors.Is(err, io.EOF):
		return failf(exitEmpty, "empty reply from server %s: %w", address, err)
	}
	return failf(exitReceive, "%s: %w", address, err)
}
