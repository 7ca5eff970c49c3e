// Package labtest tests labs and scenarios. A lab must fail at the start, pass with its solution,
// and fail with each mutant. Each hint must appear, the lesson's outputs must match the cluster,
// and a reset must restore the start. A scenario must pass, and fail with each mutant.
//
// Read report.go for the result, lab.go for the test of a lab, verdict.go for mutants of a
// scenario, and pool.go for the order.
package labtest
