// Package lesson reads the text of a lab, and plays it.
//
// A lesson is Markdown that a person reads in a terminal and a machine can do: its console blocks are commands with the output
// that they really had. The rules are few:
//
//   - What stands before the first "## " heading is the introduction; each "## " heading begins a screen.
//   - A line <!-- tasks: ID, ID --> right under the heading says which tasks of the lab are done on that screen.
//   - A block ```console is played: "$ " begins a command, which goes on in the next line after a \ at its end, or up to the
//     word of its <<WORD; all other lines are its output. ```console skip is only shown.
//   - A block ```yaml file=NAME is what the student's file NAME is to hold from here on; playing writes it. Its first line may be
//     anywhere: the whole block is the whole file.
//   - <!-- play: COMMAND --> is played and not shown.
//
// Read lesson.go for what a lesson is, parse.go for how it is read, ports.go for how a text that says 8080 fits a cluster that
// listens elsewhere, and normalize.go for what of an output counts. Package play, below, runs the commands.
package lesson
