// Package carry hands the bytes of connections from one network to another: from a port of this machine to the cluster's
// own network, from a virtual address to an endpoint, from a host port to a pod.
package carry

import (
	"context"
	"errors"
	"net"
)

// Dial opens the other half of a connection that came from client.
type Dial func(ctx context.Context, client net.Addr) (net.Conn, error)

// Stream accepts connections from l until ctx ends, and then closes l and every connection. Each is joined to what dial
// returns for it: the end of one direction is passed on as such (TCP half close), an abort as an abort, and a failure of
// dial resets the connection, as if nobody had listened. It returns nil when ctx ends, else why it cannot accept any more.
func Stream(_ context.Context, _ net.Listener, _ Dial) error {
	return errors.New("not built yet")
}

// Packets does the same for UDP: answers go back to who asked, and an exchange that is quiet for a minute is forgotten.
func Packets(_ context.Context, _ net.PacketConn, _ Dial) error {
	return errors.New("not built yet")
}
