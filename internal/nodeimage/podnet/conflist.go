package podnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// conflistName sorts before what other networks install: the container runtime takes the
// first file of its configuration directory in lexical order.
const conflistName = "10-podnet.conflist"

// leaseDir is where host-local notes the addresses it gave out. It is on a tmpfs because
// no pod survives a restart of its node, and a note that did would leak the address.
const leaseDir = "/run/podnet/leases"

// The types below are the part of the CNI network configuration format that we write:
// https://www.cni.dev/docs/spec/#section-1-network-configuration-format
type conflist struct {
	CNIVersion string   `json:"cniVersion"`
	Name       string   `json:"name"`
	Plugins    []plugin `json:"plugins"`
}

type plugin struct {
	Type         string          `json:"type"`
	MTU          int             `json:"mtu,omitempty"`
	IPMasq       *bool           `json:"ipMasq,omitempty"`
	IPAM         *ipam           `json:"ipam,omitempty"`
	Capabilities map[string]bool `json:"capabilities,omitempty"`
}

type ipam struct {
	Type    string      `json:"type"`
	DataDir string      `json:"dataDir"`
	Routes  []ipamRoute `json:"routes"`
	Ranges  [][]ipRange `json:"ranges"`
}

type ipamRoute struct {
	Dst string `json:"dst"`
}

type ipRange struct {
	Subnet string `json:"subnet"`
}

// Conflist renders the CNI configuration of a node whose pods take their addresses from
// podRanges. mtu, in bytes, is that of the link between the nodes; 0 leaves it to the
// kernel. No range is an error: a runtime with such a file would start pods without
// addresses, and without the file it rightly reports the node as not ready.
func Conflist(podRanges []netip.Prefix, mtu int) ([]byte, error) {
	if len(podRanges) == 0 {
		return nil, errors.New("no pod range is assigned to this node")
	}
	masquerade := false // Per destination, which ptp cannot do: masquerade.go does it.
	addresses := ipam{Type: "host-local", DataDir: leaseDir}
	for _, podRange := range podRanges {
		everything := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if podRange.Addr().Is6() {
			everything = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		addresses.Routes = append(addresses.Routes, ipamRoute{Dst: everything.String()})
		addresses.Ranges = append(addresses.Ranges, []ipRange{{Subnet: podRange.String()}})
	}
	rendered, err := json.MarshalIndent(conflist{
		CNIVersion: "1.0.0",
		Name:       "podnet",
		Plugins: []plugin{
			{Type: "ptp", MTU: mtu, IPMasq: &masquerade, IPAM: &addresses},
			{Type: "portmap", Capabilities: map[string]bool{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render CNI configuration: %w", err)
	}
	return append(rendered, '\n'), nil
}

// WriteConflist puts the configuration into dir so that a runtime that watches dir sees
// the old content or the new, never a part. It writes nothing if nothing changed, because
// every write makes the runtime reload.
func WriteConflist(dir string, content []byte) error {
	path := filepath.Join(dir, conflistName)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	// The dot keeps a half-written file out of the runtime's *.conflist pattern.
	temporary, err := os.CreateTemp(dir, ".podnet-*")
	if err != nil {
		return fmt.Errorf("write CNI configuration: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // Gone already after the rename.
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err != nil {
		return fmt.Errorf("write CNI configuration %s: %w", path, err)
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return fmt.Errorf("write CNI configuration: %w", err)
	}
	return nil
}
