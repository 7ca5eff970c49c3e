// Package scenario runs scenarios: YAML files that apply manifests to a cluster, send HTTP requests,
// and state the expected responses. It uses only HTTP and the Kubernetes API, so that the same file
// tests any controller. [Run] returns the failure of a scenario in its [Report]. It returns an error
// only if the lab itself is broken, for example because the API server does not respond.
//
// Read the package in this order:
//
//   - The format: format.go has the types of a file, load.go and manifest.go read one. validate.go
//     and mutant.go find all errors before a run.
//   - The verbs: verb.go defines a verb. Each verb_*.go has verbs, with their fields, validation, and
//     execution. Verbs share the state in runner.go, the polling in converge.go, and request.go.
//   - The run: run.go runs the steps of a scenario, part.go runs a part of them, and schedule.go
//     starts many runs in parallel. isolate.go gives each run its own namespace and host names.
//     check.go runs the checks of labs.
//   - The report: report.go is the result, as JSON and JUnit, too. diagnose.go and catch.go collect
//     what explains a failure. pretty.go writes text.
//
// To add a verb, write a type that implements verb, and add a field of this type to Step.
package scenario
