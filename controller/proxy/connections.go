package proxy

import (
	"net"
	"net/http"
	"sync"
)

// Connections counts client connections by state. Its Track is for http.Server.ConnState. Over HTTP/2 a connection counts
// as active from its first byte to its end.
type Connections struct {
	mu       sync.Mutex
	state    map[net.Conn]http.ConnState
	counts   map[http.ConnState]int64
	accepted uint64
}

// NewConnections starts at zero.
func NewConnections() *Connections {
	return &Connections{state: map[net.Conn]http.ConnState{}, counts: map[http.ConnState]int64{}}
}

// Track follows one connection from state to state. Upgraded connections leave the count: they are no longer HTTP.
func (c *Connections) Track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, known := c.state[conn]; known {
		c.counts[before]--
	} else if state == http.StateNew {
		c.accepted++
	}
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.state, conn)
		return
	}
	c.state[conn] = state
	c.counts[state]++
}

// Counts gives the connections that wait for a first request, are being served, and wait for a next request, and how many
// were accepted since the start.
func (c *Connections) Counts() (reading, writing, waiting int64, accepted uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[http.StateNew], c.counts[http.StateActive], c.counts[http.StateIdle], c.accepted
}
