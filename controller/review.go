package controller

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/controller/admission"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// reviews returns the Source for admission reviews. It uses the same caches, options, and Build as
// the loop.
func (c *Controller) reviews() admission.Source {
	return admission.Source{
		Build: func(candidate *networkingv1.Ingress) (*routing.Table, []routing.Problem, error) {
			snapshot, err := c.watcher.Snapshot()
			if err != nil {
				return nil, nil, err
			}
			snapshot.Ingresses = replace(snapshot.Ingresses, candidate)
			table, problems := c.build(snapshot)
			return table, problems, nil
		},
		Problems: c.health.currentProblems,
	}
}

// replace returns a list with candidate in place of the Ingress with the same name, if any.
func replace(list []*networkingv1.Ingress, candidate *networkingv1.Ingress) []*networkingv1.Ingress {
	others := slices.DeleteFunc(slices.Clone(list), func(ing *networkingv1.Ingress) bool {
		return ing.Namespace == candidate.Namespace && ing.Name == candidate.Name
	})
	return append(others, candidate)
}

// newRegistrar returns the Registrar for the API server, or nil without --admission.
func newRegistrar(client kubernetes.Interface, c *Controller) *admission.Registrar {
	if !c.config.Admission {
		return nil
	}
	service := types.NamespacedName{Namespace: c.config.PodNamespace, Name: c.config.AdmissionService}
	return admission.NewRegistrar(client, c.config.AdmissionConfiguration, service, identity(c.config), c.log)
}
