package podnet

import (
	"fmt"
	"net/netip"
	"strings"
)

// Ruleset renders the nftables commands that make packets of this node's pods leave the
// cluster with the node's address. clusterRanges hold all pods of the cluster: between
// them addresses are kept, as the network model demands.
//
// The text is fit for `nft --file -`, which applies it as one transaction. Declaring the
// table before deleting it makes the deletion succeed the first time, too, so applying
// the text again replaces it: https://wiki.nftables.org/wiki-nftables/index.php/Atomic_rule_replacement
// The table is ours alone. Rules of kube-proxy and of CNI plugins, in whichever of the
// two iptables back ends they live, are not touched.
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
		// Multicast keeps to the link, and its listeners answer the true sender.
		fmt.Fprintf(&script, "\t\tfib daddr type multicast return\n")
		fmt.Fprintf(&script, "\t\t%s saddr %s masquerade\n\t}\n}\n", family, podRange)
	}
	return script.String()
}

// ParseRanges reads the comma-separated list of ranges in which kind hands the pod subnet
// of the cluster to a network's manifest.
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
