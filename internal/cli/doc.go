// Package cli is the command line of ingresslab: flags, words and exit codes
// around packages that do the work. A command here reads its flags, calls one
// thing, and prints what came of it; anything that could be tested without a
// command line belongs elsewhere.
//
// Read cli.go first, then exit.go for the exit codes and display.go for how
// progress looks. Data goes to the standard output, everything else to the
// standard error. testdata/script holds what every command does, as scripts.
package cli
