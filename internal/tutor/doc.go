// Package tutor takes a student through a lab: it shows the lesson a screen at a time, watches the cluster and the student's
// files, ticks tasks off as they come true, gives hints, solves, and remembers.
//
// All of its decisions are in [Tutor], a state machine without clock, cluster or terminal: it takes an [Event] and the time,
// and returns [Effect]s, which are what to do in the world; [Host] does them, and what comes of each is the next event. Two
// faces show a Tutor: package tui on a terminal, and [Plain] as lines, for pipes and screen readers.
//
// Read event.go for what there is to say to a Tutor and what it asks for, tutor.go for its state, look.go for how tasks are
// ticked off, command.go for what students can do, and host.go for the world.
package tutor
