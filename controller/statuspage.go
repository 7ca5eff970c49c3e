package controller

import (
	"maps"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/dashboard"
)

// facts returns the data source of the status page.
func (c *Controller) facts() dashboard.Source {
	return dashboard.Source{
		Table:     c.server.Table,
		Problems:  c.health.currentProblems,
		Endpoints: c.server.Endpoints,
		Traffic:   c.traffic,
		State: func() dashboard.State {
			return c.health.state(dashboard.State{
				Identity: identity(c.config), ControllerClass: c.config.ControllerClass,
				Started: c.started, Leading: c.reporter.Leading(),
			})
		},
	}
}

func (c *Controller) traffic() dashboard.Traffic {
	reading, writing, waiting, accepted := c.connections.Counts()
	return dashboard.Traffic{
		Active: reading + writing + waiting, Reading: reading, Writing: writing, Waiting: waiting,
		Accepted: accepted, Handled: accepted, Requests: c.server.Requests(),
	}
}

// state adds the state of the controller to s.
func (h *health) state(s dashboard.State) dashboard.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Built, s.Stopping = h.live, h.stopping
	s.Classes = []string{}
	for _, class := range h.classes {
		s.Classes = append(s.Classes, class.Name)
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			s.DefaultClass = class.Name
		}
	}
	slices.Sort(s.Classes)
	maps.DeleteFunc(h.watchErrors, func(_ string, e dashboard.WatchError) bool { return time.Since(e.Time) > watchErrorFor })
	s.WatchErrors = maps.Clone(h.watchErrors)
	return s
}
