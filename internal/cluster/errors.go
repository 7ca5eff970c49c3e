package cluster

import (
	"fmt"
	"strings"
)

// NoEngineError says that there is no container engine to run nodes in.
type NoEngineError struct {
	// Cause is what the attempt to reach the engine came to.
	Cause error
}

func (e *NoEngineError) Error() string {
	return fmt.Sprintf("no Docker engine: %v; kind clusters need one: on Debian or Ubuntu run `make engine` as root, "+
		"elsewhere install Docker Engine or Docker Desktop and start it; --cluster embedded needs none (Linux)", e.Cause)
}

// Unwrap returns the cause.
func (e *NoEngineError) Unwrap() error { return e.Cause }

// PortTakenError says that a port of the Spec is in use by somebody else.
type PortTakenError struct {
	Port int
	// Flag is the command-line flag that chooses the port, e.g. "--http-port".
	Flag string
	// Holder says who has it, if that can be known; otherwise empty.
	Holder string
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("%s; choose another with %s (0 picks a free one)", e.Fact(), e.Flag)
}

// Fact is the error without what to do about it.
func (e *PortTakenError) Fact() string {
	by := ""
	if e.Holder != "" {
		by = " by " + e.Holder
	}
	return fmt.Sprintf("port 127.0.0.1:%d is taken%s", e.Port, by)
}

// MismatchError says that a cluster of the name exists and is not what was
// asked for.
type MismatchError struct {
	Name string
	// Differences are lines such as "nodes: has 1, asked for 3".
	Differences []string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("cluster %q exists and differs (%s); use --recreate to replace it, or another --name",
		e.Name, strings.Join(e.Differences, "; "))
}

// NotFoundError says that there is no such cluster.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no cluster %q; `%s` makes one", e.Name, up(e.Name))
}

// BrokenError says that a cluster exists and cannot be used as it is.
type BrokenError struct {
	Name string
	Why  string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("cluster %q cannot be used: %s; `%s` repairs it", e.Name, e.Why, up(e.Name))
}

// up is the command that brings up a cluster.
func up(name string) string {
	if name == DefaultName {
		return "ingresslab up"
	}
	return "ingresslab up --name " + name
}

// DamagedError says that the data of a cluster cannot be read, so that it cannot be started again.
type DamagedError struct {
	Name string
	Why  string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("cluster %q cannot be started again: %s; use --recreate to replace it", e.Name, e.Why)
}
