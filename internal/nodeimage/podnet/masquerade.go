package podnet

import (
	"fmt"
	"net/netip"
	"strings"
)

// Ruleset returns the nftables commands that masquerade packets from this node's pods to
// destinations outside clusterRanges. Between pods, the network model requires unchanged addresses.
//
// `nft --file -` applies the text as one transaction. The text declares the table before it deletes
// it, so that the deletion also succeeds the first time:
// https://wiki.nftables.org/wiki-nftables/index.php/Atomic_rule_replacement The table belongs to
// the daemon, so it does not affect rules of kube-proxy and CNI plugins.
func Ruleset(podRanges, clusterRanges []netip.Prefix) string {
	var script strings.Builder
	for _, podRange := range podRanges {
		family := "ip"
		if podRange.Addr().Is6() {
			family = "ip6"
		}
		fmt.Fprintf(&script, "table %[1]s podnet {}\ndelete table %[1]s podnet\n", family)
		fmt.Fprintf(&script, "table %s podnet {\n", family)
		script.WriteString("\tchain leaving {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n")
		for _, cluster := range clusterRanges {
			if cluster.Addr().Is4() == podRange.Addr().Is4() {
				fmt.Fprintf(&script, "\t\t%s daddr %s return\n", family, cluster)
			}
		}
		// Multicast stays on the link, and its receivers reply to the pod.
		fmt.Fprintf(&script, "\t\tfib daddr type multicast return\n")
		fmt.Fprintf(&script, "\t\t%s saddr %s masquerade\n\t}\n}\n", family, podRange)
	}
	return script.String()
}

// ParseRanges parses the comma-separated pod subnets that kind writes into the manifest of the
// network.
func ParseRanges(list string) ([]netip.Prefix, error) {
	var ranges []netip.Prefix
	for item := range strings.SplitSeq(list, ",") {
		parsed, err := netip.ParsePrefix(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("pod subnet %q: %w", list, err)
		}
		ranges = append(ranges, parsed.Masked())
	}
	return ranges, nil
}
