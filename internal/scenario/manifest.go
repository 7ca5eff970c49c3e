package scenario

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
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

// ReadManifest decodes a manifest and returns its objects and everything that can be found wrong with it without a
// server: syntax, removed APIs, fields that the type does not have. file is what the faults call it.
func ReadManifest(file string, data []byte) ([]*unstructured.Unstructured, strictyaml.Faults) {
	objects, err := kube.Decode(file, data)
	faults := decodeFaults(file, err)
	lines := locate(data)
	for _, o := range objects {
		faults = append(faults, unknownFields(file, lines, o)...)
	}
	return objects, faults
}

func decodeManifest(file string, data []byte) ([]*unstructured.Unstructured, error) {
	objects, faults := ReadManifest(file, data)
	return objects, faults.Err()
}

var positioned = regexp.MustCompile(`(?s)^(.*?):(\d+): (.*)$`)

// decodeFaults takes kube.Decode's error apart, which has a line "file:line: what is wrong" for each fault.
func decodeFaults(file string, err error) strictyaml.Faults {
	if err == nil {
		return nil
	}
	var faults strictyaml.Faults
	for _, one := range unjoin(err) {
		f := strictyaml.Fault{File: file, Message: one.Error()}
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

var quotedPath = regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)

// unknownFields decodes the object into its Go type, if it is one of Kubernetes' own, as the API server would with
// fieldValidation=Strict (https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation).
func unknownFields(file string, lines locator, o *unstructured.Unstructured) strictyaml.Faults {
	data, err := o.MarshalJSON()
	if err != nil {
		return strictyaml.Faults{{File: file, Message: err.Error()}}
	}
	at := lines.of(o, "")
	_, _, err = strictCodecs.UniversalDeserializer().Decode(data, nil, nil)
	if err == nil || runtime.IsNotRegisteredError(err) {
		return nil
	}
	strict, ok := runtime.AsStrictDecodingError(err)
	if !ok {
		return strictyaml.Faults{{File: file, Position: at, Message: fmt.Sprintf("%s: %v", kube.Describe(o), err)}}
	}
	var faults strictyaml.Faults
	for _, one := range strict.Errors() {
		f := strictyaml.Fault{File: file, Position: at, Message: fmt.Sprintf("%s: %v", kube.Describe(o), one)}
		if m := quotedPath.FindStringSubmatch(one.Error()); m != nil {
			f.Position, f.Path = lines.of(o, m[2]), m[2]
			f.Message = fmt.Sprintf("%s field of %s", m[1], kube.Describe(o))
		}
		faults = append(faults, f)
	}
	return faults
}

// validateManifests returns everything that is wrong with the manifest files that the steps name. A file that cannot be
// read is a fault of the step that names it.
func validateManifests(s *Scenario, read manifests) strictyaml.Faults {
	c := &checker{file: s.file, positions: s.positions}
	for i, step := range s.Steps {
		for verb, targets := range map[string]Strings{"apply": step.Apply, "delete": step.Delete} {
			for j, name := range targets {
				c.manifestFile(fmt.Sprintf("steps[%d].%s[%d]", i, verb, j), name, read.errs[name])
			}
		}
	}
	dir := filepath.Dir(s.file)
	for _, name := range slices.Sorted(maps.Keys(read.objects)) {
		file := filepath.Join(dir, name)
		var faults strictyaml.Faults
		if errors.As(read.errs[name], &faults) {
			for _, f := range faults {
				f.File = file
				c.faults = append(c.faults, f)
			}
		}
		for _, o := range read.objects[name] {
			c.faults = append(c.faults, sharedObject(file, o)...)
		}
	}
	return c.faults
}

func (c *checker) manifestFile(path, name string, err error) {
	var faults strictyaml.Faults
	if err != nil && !errors.As(err, &faults) {
		c.fault(path, "manifest %s: %v", name, reason(err))
	}
}

// sharedObject finds what two runs of a scenario would share, which keeps them from running at the same time.
func sharedObject(file string, o *unstructured.Unstructured) strictyaml.Faults {
	var faults strictyaml.Faults
	add := func(path, format string, args ...any) {
		faults = append(faults, strictyaml.Fault{File: file, Path: path, Message: kube.Describe(o) + " " + fmt.Sprintf(format, args...)})
	}
	if o.GetNamespace() != "" {
		add("metadata.namespace", "is in namespace %q: leave it out, every run has a namespace of its own", o.GetNamespace())
	}
	if slices.Contains(clusterWide, o.GetKind()) {
		add("kind", "belongs to the whole cluster: a scenario may bring objects of a namespace, and an IngressClass")
	}
	for _, host := range ingressHosts(o) {
		if !strings.HasSuffix(host, testDomain) {
			add("spec", "has host %q, which two runs would share: use one under %s, each run gets its own", host, testDomain)
		}
	}
	return faults
}

// clusterWide are the kinds without a namespace that somebody may be tempted to bring along. IngressClass is one, too,
// and is renamed for every run.
var clusterWide = []string{
	"APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration", "Namespace", "Node",
	"PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingWebhookConfiguration",
}

// ingressHosts returns the hosts of an Ingress's rules and TLS entries; none for any other object.
func ingressHosts(o *unstructured.Unstructured) []string {
	var ingress networkingv1.Ingress
	if o.GetKind() != "Ingress" || runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &ingress) != nil {
		return nil
	}
	var hosts []string
	for _, rule := range ingress.Spec.Rules {
		if rule.Host != "" {
			hosts = append(hosts, rule.Host)
		}
	}
	for _, tls := range ingress.Spec.TLS {
		hosts = append(hosts, tls.Hosts...)
	}
	return hosts
}
