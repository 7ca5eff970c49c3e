package routing

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// References are the Secrets and ConfigMaps that a Build looked up, found or not, sorted. The next
// Snapshot must contain exactly these.
type References struct {
	Secrets, ConfigMaps []types.NamespacedName
}

// FindReferences returns the References of the Table that Build would make. It is pure and much
// cheaper than Build: it reads no rules, Services, or endpoints, and parses only the annotations of
// Ingresses that can refer to an object.
func FindReferences(s Snapshot, o Options) References {
	b := &builder{references: newReferences(s), found: &problems{}}
	b.readSettings(o.ConfigMap)
	if o.DefaultCertificate.Name != "" {
		b.references.secrets.get(o.DefaultCertificate)
	}
	for _, ing := range s.Ingresses {
		if (len(ing.Spec.TLS) > 0 || refers(ing)) && !Unclaimed(ing, s.IngressClasses, o).is() {
			b.findReferences(ing)
		}
	}
	return b.references.table()
}

// refers reports whether an Ingress has an annotation that can add or drop a reference.
func refers(ing *networkingv1.Ingress) bool {
	for _, name := range []string{"auth-secret", "auth-tls-secret", "proxy-ssl-secret", "custom-headers", "auth-proxy-set-headers", "canary"} {
		if _, ok := ing.Annotations[annotations.Prefix+name]; ok {
			return true
		}
	}
	return false
}

// findReferences looks up every object that policy and addTLS look up for an Ingress.
func (b *builder) findReferences(ing *networkingv1.Ingress) {
	var options annotations.Options
	if refers(ing) {
		options, _ = annotations.Parse(ing.Annotations, b.settings.Options)
	}
	if options.Canary.Enabled {
		return // policy and certificates are those of the main Ingress
	}
	for _, entry := range ing.Spec.TLS {
		if entry.SecretName != "" {
			b.references.secrets.get(types.NamespacedName{Namespace: ing.Namespace, Name: entry.SecretName})
		}
	}
	if options.Auth.Basic {
		_, _ = b.secret(ing.Namespace, options.Auth.Secret)
	}
	if asksClients(options.ClientTLS) {
		_, _ = b.secret(ing.Namespace, options.ClientTLS.Secret)
	}
	if options.Backend.Protocol.TLS() && options.Backend.TLS.Secret != "" {
		_, _ = b.secret(ing.Namespace, options.Backend.TLS.Secret)
	}
	if options.Rewrite.CustomHeaders != "" {
		_, _ = b.configMap(ing.Namespace, options.Rewrite.CustomHeaders)
	}
	if options.Auth.ProxySetHeaders != "" && !options.Auth.URL.IsZero() {
		_, _ = b.configMap(ing.Namespace, options.Auth.ProxySetHeaders)
	}
}

// references finds Secrets and ConfigMaps in a Snapshot, and records all names that it looks up.
type references struct {
	secrets    objects[*corev1.Secret]
	configMaps objects[*corev1.ConfigMap]
}

// objects has the objects of one kind, and the names that were looked up.
type objects[T any] struct {
	kind    string // for people: "secret"
	there   map[types.NamespacedName]T
	loading map[types.NamespacedName]bool
	asked   map[types.NamespacedName]bool
}

func newReferences(s Snapshot) *references {
	r := &references{
		secrets:    newObjects[*corev1.Secret]("secret", s.Loading.Secrets),
		configMaps: newObjects[*corev1.ConfigMap]("configmap", s.Loading.ConfigMaps),
	}
	for _, o := range s.Secrets {
		r.secrets.there[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}] = o
	}
	for _, o := range s.ConfigMaps {
		r.configMaps.there[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}] = o
	}
	return r
}

func newObjects[T any](kind string, loading []types.NamespacedName) objects[T] {
	o := objects[T]{kind: kind, there: map[types.NamespacedName]T{}, loading: map[types.NamespacedName]bool{},
		asked: map[types.NamespacedName]bool{}}
	for _, name := range loading {
		o.loading[name] = true
	}
	return o
}

// get finds an object. The look-up makes it a dependency of the table.
func (o *objects[T]) get(name types.NamespacedName) (T, *lack) {
	o.asked[name] = true
	object, ok := o.there[name]
	switch {
	case ok:
		return object, nil
	case o.loading[name]:
		return object, &lack{reason: Because(ReferenceLoading, "kind", o.kind, "name", name.Name), loading: true}
	}
	return object, &lack{reason: Because(ReferenceNotFound, "kind", o.kind, "name", name.Name)}
}

func (o *objects[T]) names() []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(o.asked), compareNames)
}

// table returns the names of all Secrets and ConfigMaps that were looked up.
func (r *references) table() References {
	return References{Secrets: r.secrets.names(), ConfigMaps: r.configMaps.names()}
}

// lack says why an object that an Ingress refers to cannot be used.
type lack struct {
	reason Reason
	// loading is set while the object is being loaded, which is not reported as a Problem.
	loading bool
}

// refer reads the name of a Secret or ConfigMap in an annotation: "name" or "namespace/name".
// Another namespace is refused unless the controller's ConfigMap allows it. Otherwise a user who
// can create Ingresses in one namespace could use the Secrets of all.
func (b *builder) refer(own, written string) (types.NamespacedName, *lack) {
	namespace, name, qualified := strings.Cut(written, "/")
	if !qualified {
		namespace, name = own, written
	}
	if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return types.NamespacedName{}, &lack{reason: Because(ReferenceInvalid, "name", written)}
	}
	if namespace != own && !b.settings.CrossNamespace {
		return types.NamespacedName{}, &lack{reason: Because(ReferenceForbidden, "name", written)}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// secret finds the Secret that an annotation refers to.
func (b *builder) secret(own, written string) (*corev1.Secret, *lack) {
	name, missing := b.refer(own, written)
	if missing != nil {
		return nil, missing
	}
	return b.references.secrets.get(name)
}

// configMap finds the ConfigMap that an annotation refers to.
func (b *builder) configMap(own, written string) (*corev1.ConfigMap, *lack) {
	name, missing := b.refer(own, written)
	if missing != nil {
		return nil, missing
	}
	return b.references.configMaps.get(name)
}

// same reports whether two objects are the same version. Reads of one version from an informer
// cache return the same pointer; after a reconnection, the resource version decides.
func same(a, b *corev1.Secret) bool {
	return a == b || a != nil && b != nil && a.UID == b.UID && a.ResourceVersion != "" && a.ResourceVersion == b.ResourceVersion
}
