// Package lab runs the lessons: a directory with a text (lesson.md), what a student begins with (start/) and what passes
// (solution/). The front matter of the text holds the tasks, and each task has a check, which is a fragment of a scenario.
//
// [Run] goes through a lab the way a student does, without one: it brings the lab's namespace to start/, shows that no
// check holds yet, applies solution/, and shows that every check does. A lab that passes from the start teaches nothing
// and one that its own solution does not pass cannot be learned from, so either is a fault of the lab.
//
// Read lesson.go for what a lab is, load.go and validate.go for how it is read, run.go for the run, and namespace.go for
// what happens to the things that a student has made in the lab's namespace.
package lab
