// Package replay does what a lesson tells a student to do, and compares what comes out with what the lesson says comes out.
//
// [Verify] brings a lab to its start, makes a workspace that is a copy of start/, and goes through the lesson from top to bottom:
// files are written, commands are run by bash with the cluster's kubeconfig, in a shell that keeps its directory and variables from one
// command to the next. [Record] does the same, and writes the outputs that differ into the lesson.
//
// Read play.go for the way through a lesson, shell.go for how a command is run, look.go for which commands are tried again, and
// record.go for what is written where.
package replay
