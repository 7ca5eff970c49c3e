// Package e2e is the end-to-end suite: it starts a cluster, runs every scenario, and injects faults
// that a scenario cannot. It uses the CLI, HTTP, and the Kubernetes API, as a user does. `make
// test-e2e` runs it, and then `ingresslab dev test`.
//
// suite_test.go starts and deletes the cluster. scenarios_test.go, faults_test.go, cluster_test.go,
// and cli_test.go have the specs, and the other files their helpers. The build tag e2e keeps it out
// of `go test ./...`.
package e2e
