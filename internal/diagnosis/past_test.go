package diagnosis_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
)

// misspelled has one fault without a code: an invalid regular expression. The controller reports
// it.
func misspelled(t *testing.T) diagnosis.Snapshot {
	t.Helper()
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	wrong := strings.Replace(valid, "auth-type: basic", "use-regex: \"true\"\n    nginx.ingress.kubernetes.io/auth-type: basic", 1)
	wrong = strings.Replace(wrong, "    http:\n", "    http:\n      paths:\n      - {path: \"/a(\", pathType: ImplementationSpecific, "+
		"backend: {service: {name: shop, port: {number: 80}}}}\n", 1)
	wrong = strings.Replace(wrong, "      paths:\n      - {path: /app, pathType: Prefix, backend: {service: {name: shop",
		"      - {path: /app, pathType: Prefix, backend: {service: {name: shop", 1)
	return take(t, load(t, wrong, crt, key))
}

func warning(reason, message string) corev1.Event {
	return corev1.Event{
		Type: corev1.EventTypeWarning, Reason: reason, Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: "Ingress", Namespace: "lab-1", Name: "shop"},
	}
}

// A warning of the controller is a finding only if there is no other.
func TestControllerWarningWithoutOtherFinding(t *testing.T) {
	s := misspelled(t)
	pod := warning("BackOff", "about a pod")
	pod.InvolvedObject.Kind = "Pod"
	s.Events = []corev1.Event{warning("InvalidPattern", "spec.rules[0].http.paths[0].path: something new"), pod}
	found := diagnosis.Diagnose(s, diagnosis.About{})
	if len(found) != 1 || found[0].Code != diagnosis.ControllerSays || found[0].Object != "ingress/shop" || !strings.Contains(found[0].Text,
		"something new") {
		t.Errorf("found %+v", found)
	}
	found = diagnosis.Diagnose(s, diagnosis.About{Requests: []diagnosis.Request{{Host: "blog.localhost", Service: "blog"}}})
	if len(found) != 1 || found[0].Code != diagnosis.IngressMissing {
		t.Errorf("found %+v", found)
	}
}

// Kubernetes keeps Events for an hour. One about a problem that is fixed by now is not a finding.
func TestNoFindingForOldWarnings(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	s := take(t, load(t, valid, crt, key))
	const auth = "metadata.annotations[nginx.ingress.kubernetes.io/auth-"
	gone := warning("HostPathConflict", "spec.rules[0].http.paths[0]: Prefix / of host shop.localhost is not served")
	gone.InvolvedObject.Name = "old"
	s.Events = []corev1.Event{
		warning("ServiceNotFound", `spec.rules[0].http.paths[0].backend.service.name: service "shop" not found`),
		warning("CertificateName", "spec.tls[0].hosts[0]: the certificate is for another host"),
		warning("SecretInvalid", `spec.tls[0].secretName: secret "shop-tls": private key does not match public key`),
		warning("RouteBlocked", auth+"type]: auth-secret is missing, so no user can log in"),
		warning("SecretInvalid", auth+`secret]: secret "users" has no user who can log in`),
		warning("UserInvalid", auth+`secret]: secret "users": line 1: user "foo" cannot log in`),
		warning("HostPathConflict", "spec.rules[0].http.paths[0]: Prefix /app of host shop.localhost is not served"), gone,
	}
	if found := diagnosis.Diagnose(s, expected()); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	s = misspelled(t)
	again := warning("InvalidPattern", "spec.rules[0].http.paths[0].path: of an Ingress of the same name")
	again.InvolvedObject.UID, s.Ingresses[0].UID, s.Ingresses[1].UID = "before", "now", "now"
	s.Events = []corev1.Event{again}
	if found := diagnosis.Diagnose(s, diagnosis.About{}); len(found) != 0 {
		t.Errorf("deleted Ingress: found %+v", found)
	}
}
