//go:build unix

// Command pause is the process that holds a pod's namespaces. As process 1 of a pod that
// shares its PID namespace it inherits every orphan, so it reaps:
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
		// One signal may stand for several children: wait until none is left to reap.
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
				break
			}
		}
	}
}
