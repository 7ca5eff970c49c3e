package container

// ChildCommand is the first argument with which a Runtime starts the program it is part of. The program has to call RunChild
// when it sees it, before anything else.
const ChildCommand = "embedded-container"

// order is what the child is told, as JSON in an open file.
type order struct {
	// Join is a command beside a container that runs; else the child becomes process 1 of a new one.
	Join bool
	// Command, Env, WorkingDir and TTY are of the program. User is in the syntax of image configurations: names or numbers,
	// "user", "user:group" or empty.
	Command, Env     []string
	WorkingDir, User string
	// Groups come in addition to those of the user.
	Groups []int64
	TTY    bool
	// OneUser says that there are no other users to become, Nested that this is not the machine's first user namespace.
	OneUser, Nested bool

	// The rest is for new containers. Dir is the container's own, Layers what its root directory consists of, lowest first.
	Dir      string
	Layers   []string
	Hostname string
	Mounts   []Mount
	ReadOnly bool
	// OwnNetwork says that there is a network namespace to enter.
	OwnNetwork bool
}

// The child's open files.
const (
	statusFD    = 3 // a Unix socket: how it went, and the terminal. It closes when the program runs.
	orderFD     = 4
	namespaceFD = 5 // the network to enter, or (to join) a descriptor of the container's first process
)

// failure is why a child could not run its program, on its status socket as JSON.
type failure struct {
	Message string
	// Exec says that Command itself was the reason, NotFound and Errno why.
	Exec     bool
	Command  string
	NotFound bool
	Errno    uintptr
}
