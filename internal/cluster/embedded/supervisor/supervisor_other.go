//go:build !linux

package supervisor

import "io"

// Run always fails, because embedded clusters need Linux.
func Run(_ io.Reader, stdout io.Writer) bool {
	newEvents(stdout).send(Event{Error: "embedded clusters need Linux"})
	return false
}
