package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PortProcess says which process listens on a TCP port, from Linux's /proc
// (https://man7.org/linux/man-pages/man5/proc_net.5.html). Where there is no
// /proc, or the process belongs to somebody else, it says nothing.
func PortProcess(port int) string {
	inode := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		if inode = listenerInode(string(data), port); inode != "" {
			break
		}
	}
	if inode == "" {
		return ""
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && link == "socket:["+inode+"]" {
			return processName(strings.Split(fd, "/")[2])
		}
	}
	return ""
}

// stateListen is TCP_LISTEN in the kernel's table of sockets.
const stateListen = "0A"

// listenerInode finds the inode of the socket that listens on a port in the
// text of /proc/net/tcp: columns sl, local_address, rem_address, st, ... and
// inode as the tenth.
func listenerInode(table string, port int) string {
	want := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], want) && f[3] == stateListen {
			return f[9]
		}
	}
	return ""
}

func processName(pid string) string {
	if _, err := strconv.Atoi(pid); err != nil {
		return ""
	}
	comm, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(comm)))
}
