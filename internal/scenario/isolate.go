package scenario

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The labels of everything that a run makes.
const (
	// LabelRun holds the run that made an object.
	LabelRun = "ingresslab.dev/run"
	// LabelScenario holds the name of the scenario.
	LabelScenario = "ingresslab.dev/scenario"
	// LabelLock begins the labels of a namespace, of a run or a lab, that name its locks; their value is "true".
	LabelLock = "lock.ingresslab.dev/"
)

// testDomain is the top-level domain that scenarios use: it is reserved for tests (RFC 6761 section 6.2), so a probe that
// escapes reaches nobody.
const testDomain = ".test"

// isolation is what makes a run's names its own, so that a scenario can run beside itself.
type isolation struct {
	scenario string
	run      string
	// namespace is where the objects go.
	namespace string
	// locks are those of the scenario.
	locks []string
	// classes maps the names of the IngressClasses that the scenario brings to what this run calls them. An IngressClass
	// has no namespace.
	classes map[string]string
}

// newIsolation names a run's things. manifests are all objects of the scenario.
func newIsolation(s *Scenario, run string) isolation {
	i := isolation{
		scenario:  s.Metadata.Name,
		run:       run,
		namespace: fmt.Sprintf("lab-%s-%s", s.Metadata.Name, run),
		locks:     s.Locks,
		classes:   map[string]string{},
	}
	for _, m := range s.manifests {
		for _, o := range m.Objects {
			if o.GetKind() == "IngressClass" {
				i.classes[o.GetName()] = o.GetName() + "-" + run
			}
		}
	}
	return i
}

var hostName = regexp.MustCompile(`[A-Za-z0-9*_-]+(\.[A-Za-z0-9_-]+)+`)

// text gives every host under .test in a text to this run: shop.test becomes shop.RUN.test.
func (i isolation) text(s string) string {
	return hostName.ReplaceAllStringFunc(s, i.host)
}

// texts is text for a list; nil stays nil.
func (i isolation) texts(list []string) []string {
	var all []string
	for _, s := range list {
		all = append(all, i.text(s))
	}
	return all
}

func (i isolation) host(host string) string {
	end := len(host) - len(testDomain)
	if i.run == "" || end <= 0 || !strings.EqualFold(host[end:], testDomain) {
		return host
	}
	return host[:end] + "." + i.run + host[end:]
}

// url does for a URL's host what text does, and leaves path and query alone.
func (i isolation) url(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	// Only the first occurrence is the host: scheme://host/path.
	return strings.Replace(raw, u.Host, i.text(u.Host), 1)
}

// labels are what marks the objects of a run; what no run makes has none.
func (i isolation) labels() map[string]string {
	if i.run == "" {
		return nil
	}
	return map[string]string{LabelRun: i.run, LabelScenario: i.scenario}
}

// ofNamespace are the labels of the run's namespace: those of its objects, and its locks.
func (i isolation) ofNamespace() map[string]string {
	labels := i.labels()
	if labels == nil {
		return nil
	}
	for _, lock := range i.locks {
		labels[LabelLock+lock] = "true"
	}
	return labels
}

// object returns a copy of o as this run applies it: in the run's namespace, labeled, with the run's hosts and classes.
func (i isolation) object(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	if own := i.labels(); own != nil {
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, own)
		o.SetLabels(labels)
	}
	switch o.GetKind() {
	case "IngressClass":
		if renamed := i.classes[o.GetName()]; renamed != "" {
			o.SetName(renamed)
		}
		return o
	case "Ingress":
		i.ingress(o)
	}
	if o.GetNamespace() == "" {
		o.SetNamespace(i.namespace)
	}
	return o
}

// placeholder stands for the run's namespace in the annotations of Ingresses, some of which have to name it.
const placeholder = "$NAMESPACE"

// ingress gives the run's names to the rules, the TLS entries, the class and the annotations, which hold redirects.
func (i isolation) ingress(o *unstructured.Unstructured) {
	annotations := o.GetAnnotations()
	for name, value := range annotations {
		annotations[name] = strings.ReplaceAll(i.text(value), placeholder, i.namespace)
	}
	if annotations != nil {
		o.SetAnnotations(annotations)
	}
	spec, _ := o.Object["spec"].(map[string]any)
	if class, _ := spec["ingressClassName"].(string); i.classes[class] != "" {
		spec["ingressClassName"] = i.classes[class]
	}
	rules, _ := spec["rules"].([]any)
	for _, rule := range rules {
		if fields, _ := rule.(map[string]any); fields["host"] != nil {
			fields["host"] = i.text(fmt.Sprint(fields["host"]))
		}
	}
	entries, _ := spec["tls"].([]any)
	for _, entry := range entries {
		fields, _ := entry.(map[string]any)
		hosts, _ := fields["hosts"].([]any)
		for n := range hosts {
			hosts[n] = i.text(fmt.Sprint(hosts[n]))
		}
	}
}
