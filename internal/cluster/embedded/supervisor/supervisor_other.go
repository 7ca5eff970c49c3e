//go:build !linux

package supervisor

import "io"

// Run always fails.
func Run(_ io.Reader, stdout io.Writer) bool {
	newEvents(stdout).send(Event{Error: "embedded clusters need Linux"})
	return false
}
