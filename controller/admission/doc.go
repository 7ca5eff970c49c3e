// Package admission answers the API server's question whether an Ingress may be created or changed (a validating admission
// webhook, https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/). It is optional, and
// it knows no rule of its own: it asks routing.Build what the cluster would be like with the Ingress in it, so what it lets
// in is exactly what is served.
//
// Read review.go first: what is refused, what is only a warning, and why. handler.go speaks the API server's protocol.
// certificate.go and register.go are about trust: every replica makes a certificate of its own, whose key never leaves the
// process, and adds it to the caBundle of the ValidatingWebhookConfiguration. So the controller needs no right to write
// Secrets, and nobody needs to bring a certificate along.
package admission
