// Package scenario runs scripted scenarios: YAML files that apply manifests to a cluster, ask for pages over HTTP and
// say what the answers have to be.
//
// The package is in four parts, and they are best read in this order:
//
//   - the format: format*.go are the types that a file is made of, load.go reads one, validate*.go and manifest.go find
//     everything that is wrong with it before anything runs;
//   - the run: run.go is the story of one scenario, the steps are one small file each (step_*.go), converge.go is what
//     "within" means, tally.go and share.go what many answers may come to, session.go and authority.go are what steps have
//     in common, isolate.go gives each run a namespace and host names of its own, seed.go what it draws, part.go runs a
//     part of the steps, pool.go many runs beside each other;
//   - the mutants: mutate.go makes a wrong answer of right manifests, mutant_files.go those of a scenario, and mutant.go
//     judges whether the scenario fails with it where and why it has to;
//   - the report: report.go is what a run leaves, diagnose.go and catch.go collect what explains a failure, and pretty.go, json.go
//     and junit.go show it; document.go writes the documents of all who report.
//
// A scenario that fails is data: [Run] returns a [Report] and no error. An error means that the lab itself is broken,
// for instance because the API server cannot be reached. The judgement is from outside, over HTTP and the Kubernetes
// API, so that the same file judges any controller.
package scenario
