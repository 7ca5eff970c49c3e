package cluster

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func TestPortProcessNamesProcess(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip("this system has no /proc")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got, want := PortProcess(l.Addr().(*net.TCPAddr).Port), fmt.Sprintf("process %d (", os.Getpid()); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %s...", got, want)
	}
}

func TestListenerInode(t *testing.T) {
	table := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1
`
	if got := listenerInode(table, 8080); got != "222" {
		t.Errorf("got %q, want the listening socket, 222", got)
	}
	if got := listenerInode(table, 50000); got != "" {
		t.Errorf("got %q for a port of a client", got)
	}
}
