// Command tool is the static program that test containers run.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	for _, command := range strings.Split(strings.Join(os.Args[1:], " "), " ; ") {
		f := strings.Fields(command)
		if len(f) == 0 {
			continue
		}
		if err := do(f[0], f[1:]); err != nil {
			fmt.Println("error:", err)
		}
	}
}

func do(verb string, a []string) error {
	switch verb {
	case "echo":
		fmt.Println(strings.Join(a, " "))
	case "warn":
		fmt.Fprintln(os.Stderr, strings.Join(a, " "))
	case "print": // without a line break
		fmt.Print(strings.Join(a, " "))
	case "long":
		n, _ := strconv.Atoi(a[0])
		fmt.Println(strings.Repeat("x", n))
	case "exit":
		n, _ := strconv.Atoi(a[0])
		os.Exit(n)
	case "wait":
		fmt.Println("waiting")
		time.Sleep(time.Hour)
	case "cat":
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "lines":
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			fmt.Println("got " + s.Text())
		}
	case "read":
		data, err := os.ReadFile(a[0])
		fmt.Print(string(data))
		return err
	case "write":
		return os.WriteFile(a[0], []byte(strings.Join(a[1:], " ")), 0o644)
	case "ls":
		entries, err := os.ReadDir(a[0])
		for _, e := range entries {
			fmt.Println(e.Name())
		}
		return err
	case "term":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		<-c
		fmt.Println("terminated")
		os.Exit(7)
	case "spawn": // a child that keeps running
		cmd := exec.Command("/bin/tool", a...)
		cmd.Stdout = os.Stdout
		return cmd.Start()
	case "winsize":
		return winsize()
	default:
		return inspect(verb, a)
	}
	return nil
}

func inspect(verb string, a []string) error {
	switch verb {
	case "whoami":
		groups, err := os.Getgroups()
		fmt.Println("user", os.Getuid(), "group", os.Getgid(), "groups", groups, "home", os.Getenv("HOME"))
		return err
	case "host":
		name, err := os.Hostname()
		dir, _ := os.Getwd()
		fmt.Println("host", name, "pid", os.Getpid(), "dir", dir)
		return err
	case "env":
		for _, kv := range os.Environ() {
			fmt.Println(kv)
		}
	case "status":
		data, err := os.ReadFile("/proc/self/status")
		for _, l := range strings.Split(string(data), "\n") {
			if strings.HasPrefix(l, a[0]+":") {
				fmt.Println(strings.Join(strings.Fields(l), " "))
			}
		}
		return err
	case "listen":
		l, err := net.Listen("tcp", a[0])
		if err == nil {
			fmt.Println("listening", l.Addr())
		}
		return err
	case "mknod":
		return syscall.Mknod(a[0], syscall.S_IFCHR|0o666, 1<<8|3)
	case "mount":
		return syscall.Mount("tmpfs", a[0], "tmpfs", 0, "")
	case "tty":
		name, err := os.Readlink("/proc/self/fd/0")
		fmt.Println("terminal", name)
		return err
	case "fds":
		entries, err := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			to, _ := os.Readlink("/proc/self/fd/" + e.Name())
			fd, _ := strconv.Atoi(e.Name())
			// Ignore Go's files and the directory that is being read.
			if fd > 2 && to != "" && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") {
				fmt.Println("inherited", e.Name(), to)
			}
		}
		return err
	case "reopen":
		f, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("reopened\n")
		}
		return err
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	return nil
}
