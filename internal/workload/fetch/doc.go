// Package fetch is the HTTP client of the net-test pod: the parts of curl and wget that the labs use,
// in a binary that runs FROM scratch. Flags, output and exit codes follow the originals where they
// exist; a flag that does not exist here is refused, never ignored.
//
// curl.go and wget.go turn arguments into a transfer; transfer.go makes it.
//
// Three differences to know: the path is sent as typed, as with curl's --path-as-is; headers of an
// answer are printed in alphabetical order, as net/http does not keep theirs; and no proxy is taken
// from the environment.
package fetch

import "io"

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader // for -d @-
	Out, Err io.Writer
}
