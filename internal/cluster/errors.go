package cluster

import (
	"fmt"
	"strings"
)

// UnreadyError means that a provider cannot create a cluster without preparation.
type UnreadyError struct {
	// Why is the reason: "no Docker engine answers".
	Why string
	// Cause adds detail; it can be nil.
	Cause error
	// Fix says how to use the provider anyway: "--cluster kind builds the image".
	Fix string
	// Slow means that Up can do the preparation itself, in minutes.
	Slow bool
}

func (e *UnreadyError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s (%v)", e.Why, e.Cause)
	}
	return e.Why
}

// Unwrap returns the cause.
func (e *UnreadyError) Unwrap() error { return e.Cause }

// NoEngineError means that no container engine responds.
type NoEngineError struct{ Cause error }

func (e *NoEngineError) Error() string {
	return fmt.Sprintf("no Docker engine: %v; kind clusters need one: on Debian or Ubuntu run `make engine` as root, "+
		"elsewhere install and start Docker Engine or Docker Desktop; --cluster embedded needs no Docker (Linux)", e.Cause)
}

// Unwrap returns the cause.
func (e *NoEngineError) Unwrap() error { return e.Cause }

// PortInUseError means that another process uses a port of the Spec.
type PortInUseError struct {
	Port int
	// Flag is the command-line flag that selects the port: "--http-port".
	Flag string
	// Holder describes the other process; empty if it is unknown.
	Holder string
}

func (e *PortInUseError) Error() string {
	return fmt.Sprintf("%s; choose another with %s (0 picks a free one)", e.Fact(), e.Flag)
}

// Fact returns the message without the suggested fix.
func (e *PortInUseError) Fact() string {
	by := ""
	if e.Holder != "" {
		by = " by " + e.Holder
	}
	return fmt.Sprintf("port %s:%d is already in use%s", Loopback, e.Port, by)
}

// MismatchError means that the cluster exists with other settings.
type MismatchError struct {
	Name string
	// Differences are lines such as "nodes: has 1, want 3".
	Differences []string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("cluster %q already exists with other settings (%s); pass --recreate to replace it, or choose another --name",
		e.Name, strings.Join(e.Differences, "; "))
}

// NotFoundError means that the cluster does not exist.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("cluster %q not found; run `%s` to create it", e.Name, up(e.Name))
}

// BrokenError means that the cluster exists and is not usable.
type BrokenError struct{ Name, Why string }

func (e *BrokenError) Error() string {
	return fmt.Sprintf("cluster %q is not usable: %s; run `%s` to repair it", e.Name, e.Why, up(e.Name))
}

// up returns the command that brings up a cluster.
func up(name string) string {
	if name == DefaultName {
		return "ingresslab up"
	}
	return "ingresslab up --name " + name
}

// DamagedError means that the data of a stopped cluster is unreadable.
type DamagedError struct{ Name, Why string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("cluster %q cannot restart: %s; pass --recreate to replace it", e.Name, e.Why)
}
