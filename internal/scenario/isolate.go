package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The labels of the objects of a run.
const (
	LabelRun      = "ingresslab.dev/run"      // LabelRun is the run's name
	LabelScenario = "ingresslab.dev/scenario" // LabelScenario is the name of the scenario
	// LabelLock is the prefix of the labels for locks. The namespace of a run or lab has a label
	// with the value "true" for each of its locks.
	LabelLock = "lock.ingresslab.dev/"
)

// testDomain is the top-level domain of scenarios. It is reserved for tests (RFC 6761 section 6.2),
// so no request reaches a real host.
const testDomain = ".test"

// isolation renames a run's objects and hosts, so that runs of a scenario can run in parallel.
type isolation struct {
	scenario  string
	run       string
	namespace string   // namespace is the namespace of the objects
	locks     []string // locks are the scenario's locks
	// classes maps the scenario's IngressClasses, which have no namespace, to their names in this
	// run.
	classes map[string]string
}

// newIsolation returns the isolation of a run, which has the name run.
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

// text renames each host under .test in a text: shop.test becomes shop.RUN.test.
func (i isolation) text(s string) string {
	return hostName.ReplaceAllStringFunc(s, i.host)
}

// texts renames the hosts in each text. It returns nil for nil.
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

// url renames the host of a URL, but not its path and query.
func (i isolation) url(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	// Only the first occurrence is the host: scheme://host/path.
	return strings.Replace(raw, u.Host, i.text(u.Host), 1)
}

// labels returns the labels of the run's objects. It returns nil if there is no run.
func (i isolation) labels() map[string]string {
	if i.run == "" {
		return nil
	}
	return map[string]string{LabelRun: i.run, LabelScenario: i.scenario}
}

// ofNamespace returns the labels of the run's namespace, with its locks.
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

// object returns a copy of o with the run's namespace, labels, hosts, and classes.
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

// placeholder stands for the run's namespace in the annotations of Ingresses.
const placeholder = "$NAMESPACE"

// ingress renames the hosts, classes, and namespaces in an Ingress and its annotations.
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

// NewSeed returns a random seed, short enough to type and never 0.
func NewSeed() uint64 { return 1 + rand.Uint64N(1_000_000_000) }

// draws returns a source of random values for one purpose. They depend only on seed and purpose, so
// they stay the same if a different purpose needs more values.
func draws(seed uint64, purpose string) *rand.Rand {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(purpose+"\x00"), seed))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
}

// freeRunID returns a random run ID whose namespace does not exist. An earlier run with the same
// seed might have kept its namespace.
func freeRunID(ctx context.Context, s *Scenario, env Env, from *rand.Rand) string {
	for {
		run := newRunID(from)
		_, err := env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, newIsolation(s, run).namespace, metav1.GetOptions{})
		if err != nil { // not found; any other error appears when the run creates the namespace
			return run
		}
	}
}

// newRunID returns a random letter and four random letters or digits. It uses no characters that
// look alike.
func newRunID(from *rand.Rand) string {
	const letters, others = "bcdfghkmnpqrstvwxz", "bcdfghkmnpqrstvwxz2456789"
	id := []byte{letters[from.IntN(len(letters))]}
	for range 4 {
		id = append(id, others[from.IntN(len(others))])
	}
	return string(id)
}
