package routing

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// classAnnotation specifies the class of an Ingress. Kubernetes 1.18 deprecated it for
// spec.ingressClassName, but it is still in use:
// https://kubernetes.io/docs/concepts/services-networking/ingress/#deprecated-annotation.
const classAnnotation = "kubernetes.io/ingress.class"

// claimed returns the Ingresses of our class, the oldest first and then by namespace and name. In a
// conflict, the earlier one wins. Other Ingresses belong to other controllers and cause no Problem,
// even if their IngressClass does not exist: some controllers serve a class by its name alone.
func claimed(s Snapshot, o Options) []*networkingv1.Ingress {
	var list []*networkingv1.Ingress
	for _, ing := range s.Ingresses {
		if !Unclaimed(ing, s.IngressClasses, o).is() {
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

// Unclaimed returns why the controller does not serve an Ingress. The Reason is zero if it does.
// Unclaimed decides by spec.ingressClassName, else by the annotation, else by the flag for
// Ingresses without a class. The cluster's default class needs no case: the API server writes it
// into ingressClassName when the Ingress is created,
// https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class.
func Unclaimed(ing *networkingv1.Ingress, classes []*networkingv1.IngressClass, o Options) Reason {
	name, annotated := ing.Annotations[classAnnotation], true
	if ing.Spec.IngressClassName != nil {
		name, annotated = *ing.Spec.IngressClassName, false
	}
	switch {
	case annotated && name == "" && o.WatchIngressWithoutClass, annotated && name != "" && name == o.IngressClass:
		return Reason{}
	case name == "":
		return Because(ClassMissing)
	}
	at := slices.IndexFunc(classes, func(c *networkingv1.IngressClass) bool { return c.Name == name })
	switch {
	case at < 0:
		return Because(ClassUnknown, "class", name)
	case annotated || o.ControllerClass == "" || classes[at].Spec.Controller != o.ControllerClass:
		return Because(ClassForeign, "class", name, "controller", classes[at].Spec.Controller)
	}
	return Reason{}
}
