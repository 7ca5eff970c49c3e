//go:build unix

// Command pause keeps the namespaces of a pod alive. In a pod with a shared PID namespace it is PID
// 1 and reaps orphaned processes:
// https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		// One signal can represent several children.
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
				break
			}
		}
	}
}
