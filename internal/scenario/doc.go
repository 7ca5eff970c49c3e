// Package scenario runs scenarios: YAML files that apply manifests to a cluster, send HTTP requests, and say what the responses have
// to be. A scenario that fails is data: [Run] returns a [Report] and no error. An error means that the lab itself is broken, for example
// because the API server does not respond. A scenario tests from outside, over HTTP and the Kubernetes API, so that the same file tests
// any controller.
//
// Read the package in this order:
//
//   - The format: format.go has the types of a file, load.go and manifest.go read one, validate.go and mutant_files.go find all errors
//     before anything runs.
//   - The verbs: verb.go defines what a verb is, and each verb_*.go has one verb: its fields, their validation, and what it does.
//     runner.go is the state that verbs share, converge.go polls, and request.go and from.go send requests.
//   - The run: run.go runs the steps of a scenario, part.go a part of them, and schedule.go many runs in parallel. isolate.go gives each
//     run its own namespace and host names. check.go runs the checks of labs.
//   - The report: report.go is the result, diagnose.go and catch.go collect what explains a failure, and pretty.go, json.go, and
//     junit.go write it.
//
// To add a verb, write verb_NAME.go with a type that implements verb, and add a field of this type to Step.
package scenario
