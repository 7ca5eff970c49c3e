package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// sysctl is a parameter below /proc/sys/net. Each network namespace has its own value
// (https://docs.kernel.org/networking/ip-sysctl.html), and a thread writes that of its namespace.
type sysctl struct {
	name, value string
	// optional parameters are missing in some kernels, such as those without IPv6.
	optional bool
}

// commonSysctls apply to the hub, nodes and pods.
var commonSysctls = []sysctl{
	// Container runtimes let every user open ports below 1024. Images of web servers rely on it.
	{name: "ipv4/ip_unprivileged_port_start", value: "0"},
	// The cluster uses IPv4 only. New interfaces get no link-local address and send no IPv6
	// packets; lo keeps ::1.
	{name: "ipv6/conf/default/disable_ipv6", value: "1", optional: true},
	// New namespaces inherit the machine's value. Any other value would let pods spoof addresses.
	{name: "ipv4/conf/all/rp_filter", value: "1"},
	{name: "ipv4/conf/default/rp_filter", value: "1"},
}

// hubSysctls apply to the hub only.
var hubSysctls = []sysctl{
	{name: "ipv4/ip_forward", value: "1"},
	// In a real cluster, a cluster IP is only a forwarding rule, so it does not answer a ping.
	{name: "ipv4/icmp_echo_ignore_all", value: "1"},
	// Connections to a deleted pod fail at once: "unreachable" messages do not count toward the
	// limit of the machine (icmp_msgs_per_sec). The limit per client remains: a burst of five, then
	// one a second, which is when clients retry. Only the machine can change that limit
	// (route/error_cost).
	{name: "ipv4/icmp_ratemask", value: "0"},
	// Every route goes through the hub, so redirects are useless.
	{name: "ipv4/conf/all/send_redirects", value: "0"},
	{name: "ipv4/conf/default/send_redirects", value: "0"},
}

// apply writes sysctls for the namespace of the calling thread.
func apply(sysctls []sysctl) error {
	for _, s := range sysctls {
		err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0)
		if s.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("set %s to %s: %w", s.name, s.value, err)
		}
	}
	return nil
}
