package cluster

import (
	"fmt"
	"regexp"
	"strings"
)

// SpecError says which wish of a Spec cannot be meant.
type SpecError struct {
	// Flag is the command-line flag that says it, e.g. "--nodes".
	Flag string
	// Why completes "--nodes: ".
	Why string
}

func (e *SpecError) Error() string { return e.Flag + ": " + e.Why }

// MaxNodes is the most nodes a cluster can have. It is far more than a laptop runs; it catches slips of the finger.
const MaxNodes = 16

// maxName keeps node names within the 64 characters of a Linux host name:
// "-control-plane" is appended.
const maxName = 50

// dnsLabel is RFC 1123's label, which node names have to be made of.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// Check returns a *SpecError for a wish that cannot be meant, whatever exists.
func (s Spec) Check() error {
	name := s.WithDefaultName().Name
	if len(name) > maxName || !dnsLabel.MatchString(name) {
		return &SpecError{"--name", fmt.Sprintf("%q is not a name of lower-case letters, digits and dashes, at most %d long", name, maxName)}
	}
	if s.Nodes < 0 || s.Nodes > MaxNodes {
		return &SpecError{"--nodes", fmt.Sprintf("%d is not between 1 and %d", s.Nodes, MaxNodes)}
	}
	if err := s.checkPorts(); err != nil {
		return err
	}
	if strings.HasSuffix(s.NodeImage, ":latest") {
		return &SpecError{"--node-image", "a tag that moves (latest) cannot be checked against an existing cluster"}
	}
	return nil
}

// checkPorts finds ports that are none and ports that are meant twice, be it by
// the default of one of them.
func (s Spec) checkPorts() error {
	seen := map[int]string{}
	for _, p := range s.Ports() {
		if p.Want < AnyPort || p.Want > 65535 {
			return &SpecError{p.Flag, fmt.Sprintf("%d is not a port (1 to 65535, or 0 for a free one)", p.Want)}
		}
		port := p.Want
		if port == 0 {
			port = p.Default
		}
		if port != AnyPort && seen[port] != "" {
			return &SpecError{p.Flag, fmt.Sprintf("%d is already used for %s", port, seen[port])}
		}
		seen[port] = p.Flag
	}
	return nil
}

// WithDefaultName returns the Spec with the name that an empty one means.
func (s Spec) WithDefaultName() Spec {
	if s.Name == "" {
		s.Name = DefaultName
	}
	return s
}

// PortWish is one of the ports of a Spec.
type PortWish struct {
	// Flag is the command-line flag that says it, e.g. "--http-port".
	Flag string
	// Want is what the Spec says: 0 no wish, AnyPort, or a port.
	Want int
	// Default is what 0 means for a new cluster.
	Default int
}

// Ports returns the ports of the Spec: HTTP, HTTPS, status.
func (s Spec) Ports() [3]PortWish {
	return [3]PortWish{
		{"--http-port", s.HTTPPort, DefaultHTTPPort},
		{"--https-port", s.HTTPSPort, DefaultHTTPSPort},
		{"--status-port", s.StatusPort, DefaultStatusPort},
	}
}

// Differences says where an existing cluster with so many nodes, and with these ports for HTTP, HTTPS and the status page, is
// not what the Spec asks for.
func (s Spec) Differences(nodes int, ports [3]int) []string {
	var diffs []string
	if s.Nodes != 0 && s.Nodes != nodes {
		diffs = append(diffs, fmt.Sprintf("--nodes: has %d, asked for %d", nodes, s.Nodes))
	}
	for i, wish := range s.Ports() {
		if wish.Want > 0 && wish.Want != ports[i] {
			diffs = append(diffs, fmt.Sprintf("%s: has %d, asked for %d", wish.Flag, ports[i], wish.Want))
		}
	}
	return diffs
}
