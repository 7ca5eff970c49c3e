// Package admission is an optional validating admission webhook for Ingresses,
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/. It has
// no rules of its own: it calls routing.Build with the new Ingress, so it accepts exactly what the
// controller can serve.
//
// Read review.go first: what is rejected, what is only a warning, and why. handler.go implements
// the protocol of the API server. certificate.go and register.go make the API server trust the
// webhook. Every replica creates its own certificate, whose key never leaves the process, and adds
// it to the caBundle of the ValidatingWebhookConfiguration. The controller needs no permission to
// write Secrets, and users need no certificate.
package admission
