package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// winsize prints the size of the terminal whenever it changes.
func winsize() error {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGWINCH)
	fmt.Println("watching")
	for range c {
		var size struct{ rows, columns, x, y uint16 }
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, os.Stdin.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
		if errno != 0 {
			return errno
		}
		fmt.Println("size", size.columns, "x", size.rows)
	}
	return nil
}
