//go:build !linux

package supervisor

import "io"

// Run is for Linux alone.
func Run(_ io.Reader, stdout io.Writer) bool {
	newEvents(stdout).tell(Event{Error: "an embedded cluster needs Linux"})
	return false
}
