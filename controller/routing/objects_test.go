package routing_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// parseObjects reads the objects of a golden. An unknown field is an error, because a golden with a
// misspelled field would test something else.
func parseObjects(t testing.TB, where, text string) routing.Snapshot {
	t.Helper()
	var s routing.Snapshot
	for doc := range strings.SplitSeq(text, "---\n") {
		var meta struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &meta); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		switch meta.Kind {
		case "Ingress":
			s.Ingresses = append(s.Ingresses, decode[networkingv1.Ingress](t, where, doc))
		case "IngressClass":
			s.IngressClasses = append(s.IngressClasses, decode[networkingv1.IngressClass](t, where, doc))
		case "Service":
			s.Services = append(s.Services, decode[corev1.Service](t, where, doc))
		case "EndpointSlice":
			s.EndpointSlices = append(s.EndpointSlices, decode[discoveryv1.EndpointSlice](t, where, doc))
		case "Secret":
			s.Secrets = append(s.Secrets, generate(t, decode[corev1.Secret](t, where, doc)))
		case "ConfigMap":
			s.ConfigMaps = append(s.ConfigMaps, decode[corev1.ConfigMap](t, where, doc))
		case "":
			if strings.TrimSpace(doc) != "" {
				t.Fatalf("%s: object without a kind:\n%s", where, doc)
			}
		default:
			t.Fatalf("%s: package routing does not use objects of kind %s", where, meta.Kind)
		}
	}
	return s
}

func decode[T any](t testing.TB, where, doc string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
		t.Fatalf("%s: %v in\n%s", where, err, doc)
	}
	return object
}

// parseFlags reads flags.txt, one flag per line. By default, goldens serve Ingresses without a
// class, so that most of them need no IngressClass.
func parseFlags(t testing.TB, where, text string) routing.Options {
	t.Helper()
	o := routing.Options{
		ControllerClass:          "ingresslab.dev/ingress-controller",
		IngressClass:             "nginx",
		WatchIngressWithoutClass: true,
	}
	for _, line := range strings.Fields(text) {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "--watch-ingress-without-class":
			o.WatchIngressWithoutClass = value == "true"
		case "--ingress-class":
			o.IngressClass = value
		case "--default-backend-service":
			namespace, service, ok := strings.Cut(value, "/")
			if !ok {
				t.Fatalf("%s: %s needs namespace/name", where, name)
			}
			o.DefaultBackend.Service = types.NamespacedName{Namespace: namespace, Name: service}
		case "--allow-external-name":
			o.AllowExternalName = true
		case "--configmap":
			namespace, name, _ := strings.Cut(value, "/")
			o.ConfigMap = types.NamespacedName{Namespace: namespace, Name: name}
		case "--default-ssl-certificate":
			namespace, name, _ := strings.Cut(value, "/")
			o.DefaultCertificate = types.NamespacedName{Namespace: namespace, Name: name}
		default:
			t.Fatalf("%s: unknown flag %s", where, name)
		}
	}
	return o
}
