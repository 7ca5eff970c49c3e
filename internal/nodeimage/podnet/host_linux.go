package podnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeOwner marks the daemon's routes in the kernel's table (rtm_protocol in rtnetlink(7); values
// above RTPROT_STATIC are free), so that it can remove them after a restart.
const routeOwner = netlink.RouteProtocol(112)

// nftTimeout is far above the usual time. It keeps a hung nft from blocking route updates.
const nftTimeout = 20 * time.Second

// Linux implements Host. It needs CAP_NET_ADMIN, the network namespace of the node, and nft in
// PATH.
type Linux struct {
	// ConfigDir is the container runtime's directory for CNI configuration.
	ConfigDir string
}

// MTU implements Host.
func (Linux) MTU(address netip.Addr) (int, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return 0, fmt.Errorf("list links: %w", err)
	}
	for _, link := range links {
		assigned, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return 0, fmt.Errorf("link %s: list addresses: %w", link.Attrs().Name, err)
		}
		for _, candidate := range assigned {
			if found, ok := netip.AddrFromSlice(candidate.IP); ok && found.Unmap() == address {
				return link.Attrs().MTU, nil
			}
		}
	}
	return 0, fmt.Errorf("no link on this node has internal address %s", address)
}

// Routes implements Host.
func (Linux) Routes() ([]Route, error) {
	filter := &netlink.Route{Protocol: routeOwner, Table: unix.RT_TABLE_MAIN}
	found, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var routes []Route
	for _, route := range found {
		if route.Dst == nil {
			continue // the daemon adds no default route
		}
		to, okTo := netip.AddrFromSlice(route.Dst.IP)
		via, okVia := netip.AddrFromSlice(route.Gw)
		if !okTo || !okVia {
			continue
		}
		ones, _ := route.Dst.Mask.Size()
		routes = append(routes, Route{To: netip.PrefixFrom(to.Unmap(), ones), Via: via.Unmap()})
	}
	return routes, nil
}

// AddRoute implements Host.
func (Linux) AddRoute(route Route) error {
	if err := netlink.RouteReplace(route.netlink()); err != nil {
		return fmt.Errorf("add route %s: %w", route, err)
	}
	return nil
}

// RemoveRoute implements Host.
func (Linux) RemoveRoute(route Route) error {
	if err := netlink.RouteDel(route.netlink()); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove route %s: %w", route, err)
	}
	return nil
}

func (r Route) netlink() *netlink.Route {
	return &netlink.Route{
		Dst:      &net.IPNet{IP: r.To.Addr().AsSlice(), Mask: net.CIDRMask(r.To.Bits(), r.To.Addr().BitLen())},
		Gw:       r.Via.AsSlice(),
		Protocol: routeOwner,
	}
}

// Masquerade implements Host.
func (Linux) Masquerade(ctx context.Context, ruleset string) error {
	ctx, cancel := context.WithTimeout(ctx, nftTimeout)
	defer cancel()
	nft := exec.CommandContext(ctx, "nft", "--file", "-")
	nft.Stdin = strings.NewReader(ruleset)
	if output, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("apply masquerading with nft: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// Configure implements Host.
func (h Linux) Configure(conflist []byte) error { return WriteConflist(h.ConfigDir, conflist) }
