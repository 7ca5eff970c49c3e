// Package e2e is the end-to-end suite: a cluster of its own, every scenario on it, and faults that a scenario
// cannot say yet. It sees what a user sees: the CLI, HTTP and the Kubernetes API. `make test-e2e` runs it, and then `ingresslab dev test`,
// which shows what labs and mutants are worth.
//
// suite_test.go brings the cluster up and down; scenarios_test.go, faults_test.go, cluster_test.go and cli_test.go hold the
// specs; pool_test.go, namespace_test.go and traffic_test.go are what they stand on. The build tag e2e keeps it out of `go test ./...`.
package e2e
