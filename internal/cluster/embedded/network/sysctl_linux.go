package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// setting is a variable below /proc/sys/net and its value. Each network namespace has its own
// (https://docs.kernel.org/networking/ip-sysctl.html), and the file is that of the thread's namespace.
type setting struct {
	name, value string
	// optional is for kernels that lack the variable: those without IPv6, say.
	optional bool
}

// everywhere are the settings of the hub, nodes and pods.
var everywhere = []setting{
	// Container runtimes let every user have ports below 1024; the images of web servers count on it.
	{name: "ipv4/ip_unprivileged_port_start", value: "0"},
	// The cluster has IPv4 only. Interfaces that are made later get no link-local address and send nothing unasked; lo keeps ::1.
	{name: "ipv6/conf/default/disable_ipv6", value: "1", optional: true},
	// New namespaces copy this from the machine's, where it may be anything. Loose would let pods borrow addresses.
	{name: "ipv4/conf/all/rp_filter", value: "1"},
	{name: "ipv4/conf/default/rp_filter", value: "1"},
}

// onHub are the settings of the hub alone.
var onHub = []setting{
	{name: "ipv4/ip_forward", value: "1"},
	// A virtual address on a real cluster is a rule of a firewall: no machine has it, and nothing answers a ping.
	{name: "ipv4/icmp_echo_ignore_all", value: "1"},
	// Connecting to a pod that is gone fails at once: the messages that say so are not counted together with those of the whole
	// machine (icmp_msgs_per_sec). A limit for each client remains, which only the machine can change (route/error_cost): five
	// at once, then one a second, which is when clients try again.
	{name: "ipv4/icmp_ratemask", value: "0"},
	// Nobody needs to hear that there is a shorter way: there is none.
	{name: "ipv4/conf/all/send_redirects", value: "0"},
	{name: "ipv4/conf/default/send_redirects", value: "0"},
}

// apply writes settings for the namespace of the calling thread.
func apply(settings []setting) error {
	for _, s := range settings {
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
