// Package diagnosis finds out why a request does not arrive where it should: it looks at the objects that a route is made of, as
// they are in the cluster, and names what is wrong with them, in the order in which a person would mend it.
//
// It is there for the answers that nobody has foreseen. It does not know the lesson, only what is asked ([About]) and what is there
// ([Snapshot], which [Take] takes), and follows a request as the controller does: class, host, path, Service, port, pods. What it
// knows of annotations, of the ConfigMap, of password files and of problems that Events tell of it has from the controller's own packages, so
// the two agree.
//
// Read diagnosis.go for the codes and the order, route.go for a request's way to a Service, candidate.go for the rules that it passes,
// unwanted.go for one that nobody should take, backend.go for the way from there to a pod, inside.go for what pods ask Services for, past.go
// for what the controller itself has said, secrets.go and annotations.go for what an Ingress asks for beside, and tiers.go for what
// there is to say to a student.
package diagnosis
