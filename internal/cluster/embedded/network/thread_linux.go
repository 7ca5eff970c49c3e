package network

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread runs f on an operating system thread that nobody else uses, before or after, and waits for it.
//
// A network namespace belongs to a thread (setns(2)), while goroutines move between threads. The thread is not given back:
// a goroutine that ends while it is locked to its thread ends the thread too (runtime.LockOSThread), and so no failure to
// return to the old namespace can ever put a stranger's socket into the wrong one. A thread per call costs some tens of
// microseconds; one kept for each of hundreds of pods would cost its stack for ever.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread cannot end alone, and /proc/PID/ns/net would be its namespace. While this goroutine holds it,
			// f gets another.
			defer runtime.UnlockOSThread()
			done <- onThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}

// inside runs f on a thread that is in the network namespace fd.
func inside(fd int, f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// current opens the network namespace of the calling thread.
func current() (int, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the network namespace: %w", err)
	}
	return fd, nil
}
