package annotations

import (
	"fmt"
	"strconv"
)

// canary reads the annotation that makes an Ingress a canary. A value that is no boolean counts as true: an Ingress whose
// author wrote "canary" and which became a main route would take all the traffic that he wanted to give it a share of.
func canary(o *Options, name, value string) *Fault {
	on, err := strconv.ParseBool(value)
	if err == nil && !on {
		return nil
	}
	o.Canary.Enabled = true
	reason := "canaries are not supported yet; this Ingress makes no route"
	if err != nil {
		reason = fmt.Sprintf("%q is neither true nor false; this Ingress makes no route", value)
	}
	return &Fault{Prefix + name, CodeCanary, reason}
}
