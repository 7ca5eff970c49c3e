// Package labtest shows that labs and scenarios can be relied on: that a lab cannot be passed by doing nothing, that its solution
// passes, that a plausible wrong answer does not, that each of its hints is given when its fault is there, that what the lesson
// prints is what the cluster answers, and that a reset is one. A check that nobody has ever seen fail proves nothing.
//
// Read report.go for what comes out, lab.go for what is asked of a lab, then pool.go for the order in which it is asked.
package labtest
