package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// starter starts all children from one thread that lives as long as the program: a child is told to die with the thread that
// started it (PR_SET_PDEATHSIG(2const)), and Go ends threads when it likes. It is also the one thread that may change the
// process namespace of its children.
type starter struct {
	jobs chan *job
	// own is this program's process namespace.
	own *os.File
}

// job is a child to start.
type job struct {
	order *order
	// streams are the standard streams; they stay the caller's.
	streams [3]*os.File
	// namespace is namespaceFD of the child; -1 for none.
	namespace int
	// into is a descriptor of a process whose process namespace the child belongs in; -1 for a new one.
	into int
	fds  []uintptr

	child *process
	err   error
	done  chan struct{}
}

func newStarter() (*starter, error) {
	own, err := os.Open("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	s := &starter{jobs: make(chan *job), own: own}
	go s.serve()
	return s, nil
}

// serve never ends: its end would be that of all children.
func (s *starter) serve() {
	runtime.LockOSThread()
	for j := range s.jobs {
		j.child, j.err = s.fork(j)
		close(j.done)
	}
}

// start starts a child and returns it with the parent's end of its status socket.
func (s *starter) start(j *job) (*process, *net.UnixConn, error) {
	text, err := orderFile(j.order)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = text.Close() }() // the child has its own
	ours, theirs, err := statusSocket()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = theirs.Close() }() // or its end would never be seen
	j.done = make(chan struct{})
	files := append([]*os.File(nil), j.streams[:]...)
	files = append(files, theirs, text)
	child, err := s.run(j, files)
	if err != nil {
		_ = ours.Close() // nobody is there
		return nil, nil, err
	}
	return child, ours, nil
}

func (s *starter) run(j *job, files []*os.File) (*process, error) {
	fds := make([]uintptr, 0, len(files)+1)
	for _, f := range files {
		fds = append(fds, f.Fd())
	}
	if j.namespace >= 0 {
		fds = append(fds, uintptr(j.namespace))
	}
	j.fds = fds
	s.jobs <- j
	<-j.done
	runtime.KeepAlive(files)
	return j.child, j.err
}

func (s *starter) fork(j *job) (*process, error) {
	pidfd := -1
	attr := &syscall.ProcAttr{
		Files: j.fds,
		// The child is about to become something else: there is nothing to collect and little to do at once.
		Env: []string{"GOGC=off", "GOMAXPROCS=1"},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	}
	namespace := int(s.own.Fd())
	if j.into >= 0 {
		namespace = j.into
	} else {
		// One that joins ties itself to us: package syscall would ask who its parent is, and be told nobody.
		attr.Sys.Pdeathsig = syscall.SIGKILL
		attr.Sys.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWPID); err != nil {
		return nil, fmt.Errorf("enter the process namespace: %w", err)
	}
	// The file of this program may have been replaced since it was started; this is what runs.
	pid, _, err := syscall.StartProcess("/proc/self/exe", []string{"ingresslab", ChildCommand}, attr)
	if err != nil {
		return nil, fmt.Errorf("start in new namespaces: %w", err)
	}
	return newProcess(pid, pidfd)
}

// orderFile is a file without a name that holds the order.
func orderFile(o *order) (*os.File, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("order", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "order")
	_, err = f.Write(data)
	if err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func statusSocket() (ours *net.UnixConn, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(pair[1]), "status")
	mine := os.NewFile(uintptr(pair[0]), "status")
	defer func() { _ = mine.Close() }() // the connection has a copy
	c, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.Join(errors.New("socketpair: no Unix socket"), c.Close(), theirs.Close())
	}
	return conn, theirs, nil
}
