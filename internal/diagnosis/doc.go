// Package diagnosis explains why a request does not arrive where a task expects it. It compares the
// task's expectation ([About]) with the objects in the cluster ([Snapshot]) and with what the
// controller reports about them.
//
// The package makes no routing decision. It passes the snapshot to package routing, which returns a
// table, problems with typed causes, and an explanation for each request. The package reads causes
// and arguments, never sentences.
//
// Read diagnosis.go for the codes, report.go for what the controller reports, and request.go for a
// request from the host to the Service. pods.go continues to the pods, problems.go turns the
// controller's problems into findings, and objects.go finds missing objects. hints.yaml has the
// hints and their order; levels.go reads it.
package diagnosis
