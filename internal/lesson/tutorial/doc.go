// Package tutorial writes the labs as pages to read: docs/tutorial has one for each, and an index. Everything in them is taken from
// the labs, so that prose, tasks and outputs cannot drift apart; `make generate` writes them anew.
//
// Read tutorial.go for what is written, page.go for a page, and ask.go for how the quiz becomes a command.
package tutorial

//go:generate go test -run TestTutorialIsCurrent -update .
