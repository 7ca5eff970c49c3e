// Package diagnosis explains why a request does not arrive where a task expects it. It compares the task's expectation ([About])
// with the objects in the cluster ([Snapshot]) and with what the controller reports about them.
//
// The package makes no routing decision. It passes the snapshot to package routing, which returns a table, problems with typed
// causes, and an explanation for each request. Hints read causes and arguments, never sentences.
//
// Read diagnosis.go for the codes and their order, report.go for what the controller reports, and request.go for the way of a
// request to a Service. pods.go follows it to a pod, problems.go turns the controller's problems into findings, objects.go finds
// missing objects, and levels.go has the hints.
package diagnosis
