package kube

import "slices"

// removal is an API version that Kubernetes has removed.
type removal struct {
	apiVersion string
	kinds      []string // empty: all
	since      string   // the Kubernetes release that removed it
	use        string
	hint       string // other changes to the manifest
}

// ingressHint lists the renamed fields of an old Ingress.
const ingressHint = "; spec.rules[].http.paths[] need pathType, and backend.serviceName/servicePort " +
	"are now backend.service.name and backend.service.port.number (or .name)"

// removals follows https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
var removals = []removal{
	{"extensions/v1beta1", []string{"Ingress"}, "1.22", "networking.k8s.io/v1", ingressHint},
	{"networking.k8s.io/v1beta1", []string{"Ingress"}, "1.22", "networking.k8s.io/v1", ingressHint},
	{"networking.k8s.io/v1beta1", []string{"IngressClass"}, "1.22", "networking.k8s.io/v1", ""},
	{"extensions/v1beta1", []string{"NetworkPolicy"}, "1.16", "networking.k8s.io/v1", ""},
	{"extensions/v1beta1", []string{"Deployment", "DaemonSet", "ReplicaSet"}, "1.16", "apps/v1", "; spec.selector is now required"},
	{"apps/v1beta1", nil, "1.16", "apps/v1", "; spec.selector is now required"},
	{"apps/v1beta2", nil, "1.16", "apps/v1", ""},
	{"rbac.authorization.k8s.io/v1beta1", nil, "1.22", "rbac.authorization.k8s.io/v1", ""},
	{"apiextensions.k8s.io/v1beta1", nil, "1.22", "apiextensions.k8s.io/v1", "; every version needs a schema"},
	{"admissionregistration.k8s.io/v1beta1", []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"},
		"1.22", "admissionregistration.k8s.io/v1", ""},
	{"batch/v1beta1", []string{"CronJob"}, "1.25", "batch/v1", ""},
	{"policy/v1beta1", []string{"PodDisruptionBudget"}, "1.25", "policy/v1", ""},
	{"discovery.k8s.io/v1beta1", []string{"EndpointSlice"}, "1.25", "discovery.k8s.io/v1", ""},
	{"autoscaling/v2beta2", []string{"HorizontalPodAutoscaler"}, "1.26", "autoscaling/v2", ""},
}

// replacement returns the replacement for a removed API, or "".
func replacement(apiVersion, kind string) string {
	for _, r := range removals {
		if r.apiVersion == apiVersion && (r.kinds == nil || slices.Contains(r.kinds, kind)) {
			return "was removed in Kubernetes " + r.since + "; use " + r.use + r.hint
		}
	}
	return ""
}
