package scenario

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Manifest is a file with objects in it.
type Manifest struct {
	// File is what faults call it.
	File string
	// Objects are in the order of the file.
	Objects []*unstructured.Unstructured
	lines   locator
}

// ReadManifest decodes a manifest and finds everything that can be found wrong with it without a server: syntax, removed
// APIs, fields that the type does not have.
func ReadManifest(file string, data []byte) (Manifest, strictyaml.Diagnostics) {
	objects, err := kube.Decode(file, data)
	m := Manifest{File: file, Objects: objects, lines: locate(data)}
	faults := decodeFaults(file, err)
	for _, o := range objects {
		faults = append(faults, m.unknownFields(o)...)
	}
	return m, faults
}

// Fault returns a fault of one of the manifest's objects, where the field at path stands.
func (m Manifest) Fault(o *unstructured.Unstructured, path, format string, args ...any) strictyaml.Diagnostic {
	return strictyaml.Diagnostic{
		File: m.File, Position: m.lines.of(o, path), Path: path, Message: kube.Describe(o) + " " + fmt.Sprintf(format, args...),
	}
}

var positioned = regexp.MustCompile(`(?s)^(.*?):(\d+): (.*)$`)

// decodeFaults takes kube.Decode's error apart, which has a line "file:line: what is wrong" for each fault.
func decodeFaults(file string, err error) strictyaml.Diagnostics {
	if err == nil {
		return nil
	}
	var faults strictyaml.Diagnostics
	for _, one := range unjoin(err) {
		f := strictyaml.Diagnostic{File: file, Message: one.Error()}
		if m := positioned.FindStringSubmatch(one.Error()); m != nil {
			line, convErr := strconv.Atoi(m[2])
			if convErr == nil {
				f.Line, f.Message = line, m[3]
			}
		}
		faults = append(faults, f)
	}
	return faults
}

func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

var strictCodecs = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)

var quotedPath = regexp.MustCompile(`^unknown field "(.*)"$`)

// unknownFields decodes the object into its Go type, if it is one of Kubernetes' own, as the API server would with
// fieldValidation=Strict (https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation).
func (m Manifest) unknownFields(o *unstructured.Unstructured) strictyaml.Diagnostics {
	data, err := o.MarshalJSON()
	if err != nil {
		return strictyaml.Diagnostics{m.Fault(o, "", "cannot be read: %v", err)}
	}
	_, _, err = strictCodecs.UniversalDeserializer().Decode(data, nil, nil)
	if err == nil || runtime.IsNotRegisteredError(err) {
		return nil
	}
	strict, ok := runtime.AsStrictDecodingError(err)
	if !ok {
		return strictyaml.Diagnostics{m.Fault(o, "", "cannot be read: %v", err)}
	}
	var faults strictyaml.Diagnostics
	for _, one := range strict.Errors() {
		if match := quotedPath.FindStringSubmatch(one.Error()); match != nil {
			faults = append(faults, m.Fault(o, match[1], "has no such field"))
		} else {
			faults = append(faults, m.Fault(o, "", "is invalid: %v", one))
		}
	}
	return faults
}

// validateManifests returns everything that is wrong with the manifest files that the steps name. A file that cannot be
// read is a fault of the step that names it.
func validateManifests(s *Scenario, read reading) strictyaml.Diagnostics {
	c := &checker{file: s.file, positions: s.positions}
	eachStep("steps", s.Steps, func(path string, step Step) {
		for _, v := range step.verbs() {
			for j, name := range v.traits().targets {
				c.manifestFile(fmt.Sprintf("%s.%s[%d]", path, v.key, j), name, read.errs[name])
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(read.manifests)) {
		c.faults = append(c.faults, read.faults[name]...)
		for _, o := range read.manifests[name].Objects {
			c.faults = append(c.faults, sharedObject(read.manifests[name], o, s.changesMore())...)
		}
	}
	c.pods(s, read)
	return c.faults
}

func (c *checker) manifestFile(path, name string, err error) {
	if err != nil {
		c.fault(path, "manifest %s: %v", name, reason(err))
	}
}

// sharedObject finds what two runs of a scenario would share, which keeps them from running at the same time. One that changes more
// than its namespace, and says so, may bring objects of the controller's namespace.
func sharedObject(m Manifest, o *unstructured.Unstructured, changesMore bool) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	switch {
	case o.GetNamespace() == SystemNamespace && !changesMore:
		faults = append(faults, m.Fault(o, "metadata.namespace",
			"is in %s, which is shared; add a name to locks, or set exclusive: true if the change affects every host",
			SystemNamespace))
	case o.GetNamespace() != "" && o.GetNamespace() != SystemNamespace:
		faults = append(faults, m.Fault(o, "metadata.namespace", "specifies a namespace; leave it out, because each run has its own"))
	}
	if slices.Contains(clusterWide, o.GetKind()) {
		faults = append(faults, m.Fault(o, "kind", "has no namespace; a scenario can apply only objects that have one, and IngressClasses"))
	}
	for path, host := range ingressHosts(o) {
		if !strings.HasSuffix(host, testDomain) {
			faults = append(faults, m.Fault(o, path, "has host %q, which two runs would share; use a host under %s", host, testDomain))
		}
	}
	return faults
}

// clusterWide are kinds without a namespace that a scenario cannot apply. IngressClass is one, too,
// and is renamed for every run.
var clusterWide = []string{
	"APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration", "Namespace", "Node",
	"PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingWebhookConfiguration",
}

// ingressHosts returns the hosts of an Ingress's rules and TLS entries by their paths; none for any other object.
func ingressHosts(o *unstructured.Unstructured) map[string]string {
	var ingress networkingv1.Ingress
	if o.GetKind() != "Ingress" || runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &ingress) != nil {
		return nil
	}
	hosts := map[string]string{}
	for i, rule := range ingress.Spec.Rules {
		if rule.Host != "" {
			hosts[fmt.Sprintf("spec.rules[%d].host", i)] = rule.Host
		}
	}
	for i, tls := range ingress.Spec.TLS {
		for j, host := range tls.Hosts {
			hosts[fmt.Sprintf("spec.tls[%d].hosts[%d]", i, j)] = host
		}
	}
	return hosts
}
