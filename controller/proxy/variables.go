package proxy

import (
	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// variable gives the value of a variable of an annotation for this request.
func (x *exchange) variable(name string) string { return routing.Variables(x.asked, x.decision)(name) }

// expand puts the values of variables into a text of an annotation.
func (x *exchange) expand(t annotations.Template) string {
	return t.Expand(routing.Variables(x.asked, x.decision))
}
