//go:build !linux

package embedded

import (
	"context"
	"errors"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

var errNotLinux = errors.New("embedded clusters need Linux, whose namespaces they are made of; use --cluster kind")

// possible says why there can be no embedded cluster on this machine, for this user.
func possible() error { return errNotLinux }

type process struct{}

func (process) runs() bool                { return false }
func (process) end(context.Context) error { return nil }

type leash struct{ process process }

type damagedError struct{ why string }

func (e *damagedError) Error() string { return e.why }

func launch(supervisor.Request, *doors) (*leash, error) { return nil, errNotLinux }

func (*leash) follow(context.Context, cluster.Progress) error { return errNotLinux }
func (*leash) kill(context.Context) error                     { return nil }
func (*leash) release() error                                 { return nil }
func (*leash) close()                                         {}
