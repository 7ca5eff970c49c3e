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

// conflistName sorts before the files of other networks, because the container runtime uses the
// first file in its configuration directory.
const conflistName = "10-podnet.conflist"

// leaseDir is where host-local records allocated addresses. It is on a tmpfs, because no pod
// survives a restart of its node, and a record that does would leak the address.
const leaseDir = "/run/podnet/leases"

// The types below are a part of the CNI network configuration format:
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

// Conflist returns the CNI configuration of a node with these pod ranges. mtu is the MTU of the
// link between nodes in bytes; 0 means the kernel's default. It returns an error if podRanges is
// empty: the runtime would start pods without addresses. Without the file, the node correctly stays
// NotReady.
func Conflist(podRanges []netip.Prefix, mtu int) ([]byte, error) {
	if len(podRanges) == 0 {
		return nil, errors.New("no pod range is assigned to this node")
	}
	masquerade := false // ptp cannot exclude destinations; see masquerade.go
	addresses := ipam{Type: "host-local", DataDir: leaseDir}
	for _, podRange := range podRanges {
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if podRange.Addr().Is6() {
			all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		addresses.Routes = append(addresses.Routes, ipamRoute{Dst: all.String()})
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

// WriteConflist writes the configuration to dir atomically, for runtimes that watch dir. It writes
// only a changed file, because each write makes the runtime reload.
func WriteConflist(dir string, content []byte) error {
	path := filepath.Join(dir, conflistName)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	// The runtime's pattern *.conflist does not match the temporary file.
	temporary, err := os.CreateTemp(dir, ".podnet-*")
	if err != nil {
		return fmt.Errorf("write CNI configuration: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // fails after the rename
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
