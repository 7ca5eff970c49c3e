// Package kind makes real Kubernetes clusters whose nodes are containers, with
// kind (https://kind.sigs.k8s.io) as a library and Docker as the engine.
//
// Read provider.go first: Up is the whole story. Three things took thought:
//
//   - kind takes no context. It runs in a child process with a process group of
//     its own (create.go, child.go), so that a canceled Up can stop it and
//     everything that it started, at any moment, and then clean up.
//   - What exists is decided by looking at the containers, with a small record
//     beside (record.go): which Up made them, with what ports, and whether it
//     came to its end (condition.go).
//   - kind's time-outs only warn. Whether a cluster is usable is asked of the
//     cluster itself (ready.go).
package kind
