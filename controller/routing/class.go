package routing

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// classAnnotation is how an Ingress named its class before spec.ingressClassName; deprecated since Kubernetes 1.18 and
// still in use, https://kubernetes.io/docs/concepts/services-networking/ingress/#deprecated-annotation.
const classAnnotation = "kubernetes.io/ingress.class"

// claimed returns the Ingresses of our class, the oldest first and then by namespace and name, which is the order in
// which they win conflicts. The others are somebody else's and are passed over in silence, those that name a class that
// does not exist included: there are controllers that go by the name alone.
func claimed(s Snapshot, o Options) []*networkingv1.Ingress {
	ourClasses := make(map[string]bool)
	for _, c := range s.IngressClasses {
		if o.ControllerClass != "" && c.Spec.Controller == o.ControllerClass {
			ourClasses[c.Name] = true
		}
	}
	var list []*networkingv1.Ingress
	for _, ing := range s.Ingresses {
		if owns(ing, ourClasses, o) {
			list = append(list, ing)
		}
	}
	slices.SortFunc(list, func(a, b *networkingv1.Ingress) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return list
}

// owns decides by spec.ingressClassName if there is one, else by the annotation, else by the flag for Ingresses that name
// no class. The cluster's default class needs no case of its own: the API server writes it into ingressClassName when
// the Ingress is created, https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class.
func owns(ing *networkingv1.Ingress, ourClasses map[string]bool, o Options) bool {
	if name := ing.Spec.IngressClassName; name != nil {
		return ourClasses[*name]
	}
	if class := ing.Annotations[classAnnotation]; class != "" {
		return class == o.IngressClass
	}
	return o.WatchIngressWithoutClass
}
