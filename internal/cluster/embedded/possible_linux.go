package embedded

import "github.com/ingresslab/ingresslab/internal/cluster/embedded/network"

// possible says why there can be no embedded cluster on this machine, for this user.
func possible() error { return network.Check() }
