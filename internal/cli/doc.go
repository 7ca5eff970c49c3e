// Package cli is the command line of ingresslab: flags, messages, and exit codes. A command reads its flags, calls another
// package, and prints the result. Logic that can be tested without a command line belongs elsewhere.
//
// Read root.go first: it lists the commands. dev.go has the renamed ones, exit.go the exit codes, and display.go the progress.
// Data goes to standard output, everything else to standard error. The tests in testdata/script show what each command prints.
package cli
