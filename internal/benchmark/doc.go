// Package benchmark fills an embedded cluster with Ingresses, Services, and virtual pods. It replaces pods, and measures the
// controller's resources and the time until clients see a change.
//
// Only the processes of the pods are simulated. Kubernetes' own controllers write the EndpointSlices, `ingresslab up` installs the
// Ingress controller, and requests use its port. The benchmark reads responses, metrics, and the API only.
//
// run.go lists the steps. size.go plans the objects and objects.go defines them; watch.go observes the cluster; restart.go and
// churn.go measure; report.go prints the result.
package benchmark
