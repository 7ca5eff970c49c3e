package routing

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Build returns the Table of a Snapshot and its Problems, sorted by object. Build is pure: it
// neither waits, nor logs, nor reads a clock. The same objects in any order, with the same Options
// and Memory, give the same result. A broken object affects only its own routes.
//
// m is the Memory of the current Table, or nil. With it, Build parses only what has changed. It
// also keeps the last valid certificate of a Secret that is now invalid.
func Build(s Snapshot, o Options, m *Memory) (*Table, []Problem) {
	found := &problems{}
	b := &builder{
		backends:       newBackends(s, o.AllowExternalName, found),
		hosts:          make(map[string]*virtualHost, len(s.Ingresses)),
		found:          found,
		references:     newReferences(s),
		memory:         m.next(),
		certification:  newCertification(),
		clientTLS:      map[string]*hostVerification{},
		defaultBackend: o.DefaultBackend,
	}
	b.readSettings(o.ConfigMap)
	ingresses := claimed(s, o)
	for _, ing := range ingresses {
		b.addIngress(ing)
	}
	b.addDefaultBackend(o.DefaultBackend)
	b.addCanaries()
	b.addAliases()
	b.addWWW()
	b.addAppRoots()
	b.spreadClientTLS()
	t := b.table(ingresses)
	t.certificates = b.certify(o.DefaultCertificate)
	t.references = b.references.table() // last, after all look-ups
	return t, found.sorted()
}

// builder has the parts of a Table while Build makes it.
type builder struct {
	backends           *backends
	hosts              map[string]*virtualHost
	catchAll, fallback *Route
	found              *problems
	settings           annotations.Settings

	references    *references
	memory        *Memory
	certification *certification
	// clientTLS has the client verification of each host.
	clientTLS      map[string]*hostVerification
	defaultBackend ServicePort

	// These Ingresses refine existing routes and hosts, so they are processed after all rules.
	canaries, aliased, fromToWWW, appRoots []*ingress
	// withCanaries are the routes that canaries were attached to.
	withCanaries []*Route
	// aliases has the hosts by their additional names.
	aliases map[string]*virtualHost
}

// host returns the virtual host with that name, and creates it if necessary.
func (b *builder) host(name string) *virtualHost {
	h := b.hosts[name]
	if h == nil {
		h = newVirtualHost(name)
		b.hosts[name] = h
	}
	return h
}

// addDefaultBackend adds the Service of --default-backend-service. It belongs to no Ingress, so its
// Problems are about the Service.
func (b *builder) addDefaultBackend(want ServicePort) {
	if want.Service == (types.NamespacedName{}) {
		return
	}
	pool, flt := b.backends.resolve(want)
	b.fallback = &Route{
		Field:    "--default-backend-service",
		Pool:     pool,
		Policy:   &Policy{Options: b.settings.Options},
		Timeouts: timeouts(b.settings.Options.Proxy),
		why:      "no rule matches; the controller's default backend responds",
	}
	if flt != nil {
		service := ObjectRef{Kind: "Service", Namespace: want.Service.Namespace, Name: want.Service.Name}
		b.found.add(service, "--default-backend-service", flt.reason)
	}
}

// table assembles the Table.
func (b *builder) table(ingresses []*networkingv1.Ingress) *Table {
	t := &Table{
		exact:     make(map[string]*virtualHost, len(b.hosts)),
		wildcard:  map[string]*virtualHost{},
		catchAll:  b.catchAll,
		fallback:  b.fallback,
		hosts:     slices.SortedFunc(maps.Keys(b.hosts), compareHosts),
		pools:     b.backends.all(),
		claimed:   make(map[types.NamespacedName]bool, len(ingresses)),
		settings:  b.settings,
		clientTLS: b.clientPolicies(),
		memory:    b.memory.forget(),
	}
	for _, name := range t.hosts {
		h := b.hosts[name]
		h.sortRegexes()
		switch {
		case name == "":
			t.anyHost = h
		case strings.HasPrefix(name, "*."):
			t.wildcard[wildcardSuffix(name)] = h
		default:
			t.exact[name] = h
		}
		t.routes = append(t.routes, h.routes()...)
	}
	for name, h := range b.aliases {
		if strings.HasPrefix(name, "*.") {
			t.wildcard[wildcardSuffix(name)] = h
			continue
		}
		t.exact[name] = h
	}
	for _, r := range []*Route{b.catchAll, b.fallback} {
		if r != nil {
			t.routes = append(t.routes, r)
		}
	}
	for _, ing := range ingresses {
		name := types.NamespacedName{Namespace: ing.Namespace, Name: ing.Name}
		t.claimed[name] = true
		t.ingresses = append(t.ingresses, name)
	}
	slices.SortFunc(t.ingresses, compareNames)
	for _, r := range t.routes {
		r.nameEndpoints()
		r.plain = r.isPlain()
	}
	return t
}

// compareHosts sorts exact hosts before wildcards before the empty host, and each kind by name.
func compareHosts(a, b string) int {
	kind := func(host string) int {
		switch {
		case host == "":
			return 2
		case strings.HasPrefix(host, "*."):
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(kind(a), kind(b)), strings.Compare(a, b))
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// refOf returns the ObjectRef of an object. The caller passes the kind, because objects from an
// informer cache do not have it.
func refOf(kind string, o metav1.Object) ObjectRef {
	return ObjectRef{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID())}
}
