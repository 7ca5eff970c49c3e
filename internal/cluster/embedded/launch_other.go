//go:build !linux

package embedded

import (
	"context"
	"errors"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

var errNotLinux = errors.New("embedded clusters need the namespaces of Linux; use --cluster kind")

func checkMachine() error { return errNotLinux }

type process struct{}

func (process) runs() bool                { return false }
func (process) end(context.Context) error { return nil }

type lifetimePipe struct{ process process }

type damagedError struct{ why string }

func (e *damagedError) Error() string { return e.why }

func launch(supervisor.Request, *listeners) (*lifetimePipe, error) { return nil, errNotLinux }

func (*lifetimePipe) follow(context.Context, cluster.Progress) error { return errNotLinux }
func (*lifetimePipe) kill(context.Context) error                     { return nil }
func (*lifetimePipe) release() error                                 { return nil }
func (*lifetimePipe) close()                                         {}
