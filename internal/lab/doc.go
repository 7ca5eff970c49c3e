// Package lab runs the lessons: a directory with a text (lesson.md), what a student begins with (start/) and what passes
// (solution/). The front matter of the text holds the tasks, and each task has a check, which is a fragment of a scenario.
//
// [Run] goes through a lab the way a student does, without one: it brings the lab's namespace to start/, shows that no
// check holds yet, and carries out the solutions task by task, each followed by its check. A lab that passes from the start teaches
// nothing and one that its own solution does not pass cannot be learned from, so either is a fault of the lab.
//
// A [Session] is the lab for somebody else to go through: it looks at the tasks, solves one, advises, asks the question at the end.
// The tutor, `ingresslab check` and the prover use it, and so does Run.
//
// Read lesson.go for what a lab is, load.go and validate.go for how it is read, session.go for what can be done with it, run.go for the
// run, and namespace.go for what happens to the things that a student has made in the lab's namespace; borrow.go is about those beside
// the controller. Of a Session's parts, look.go tells what is done and what is lost, with memory.go for the traffic, advise.go what to
// do about the rest, with about.go for what the diagnosis is asked, and quiz.go the answers to the question.
package lab
