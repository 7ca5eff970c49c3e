package podspec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// environment is the list of a container's variables, in the order in which they were first set.
type environment struct {
	names    []string
	values   map[string]string
	services map[string]string // variables of Services; the container's values override them
}

func (e *environment) set(name, value string) {
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environment) lookup(name string) (string, bool) {
	if value, ok := e.values[name]; ok {
		return value, true
	}
	value, ok := e.services[name]
	return value, ok
}

// list returns KEY=value entries. HOSTNAME comes first, because container runtimes set it. The
// manifest can override HOSTNAME, but not refer to it.
func (e *environment) list(hostname string) ([]string, error) {
	out := []string{}
	if _, own := e.values["HOSTNAME"]; !own {
		out = append(out, "HOSTNAME="+hostname)
	}
	for _, name := range e.names {
		out = append(out, name+"="+e.values[name])
	}
	for _, name := range slices.Sorted(maps.Keys(e.services)) {
		if _, own := e.values[name]; !own {
			out = append(out, name+"="+e.services[name])
		}
	}
	for _, variable := range out {
		if strings.ContainsRune(variable, 0) { // execve(2) would cut off the rest
			name, _, _ := strings.Cut(variable, "=")
			return nil, configErrorf("environment variable %q contains a NUL byte", name)
		}
	}
	return out, nil
}

// environment evaluates envFrom, then env in order. A variable can refer to earlier variables.
func (n *Node) environment(ctx context.Context, pod Pod, c *corev1.Container) (*environment, error) {
	services, err := n.serviceVariables(pod.Pod)
	if err != nil {
		return nil, err
	}
	env := &environment{values: map[string]string{}, services: services}
	for i := range c.EnvFrom {
		data, err := n.envFrom(ctx, pod.Pod, &c.EnvFrom[i])
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			env.set(c.EnvFrom[i].Prefix+key, data[key])
		}
	}
	for i := range c.Env {
		variable := &c.Env[i]
		if variable.Value != "" || variable.ValueFrom == nil {
			env.set(variable.Name, expand(variable.Value, env.lookup))
			continue
		}
		value, ok, err := n.valueFrom(ctx, pod, c, variable.ValueFrom)
		if err != nil {
			return nil, err
		}
		if ok {
			env.set(variable.Name, value)
		}
	}
	return env, nil
}

// envFrom returns all keys of a ConfigMap or Secret. Since v1.34, each printable key without "=" is
// a valid name
// (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/).
func (n *Node) envFrom(ctx context.Context, pod *corev1.Pod, source *corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case source.ConfigMapRef != nil:
		configMap, err := n.configMap(ctx, pod, source.ConfigMapRef.Name)
		if err != nil {
			return nil, unlessOptional(err, source.ConfigMapRef.Optional)
		}
		return configMap.Data, nil
	case source.SecretRef != nil:
		secret, err := n.secret(ctx, pod, source.SecretRef.Name)
		if err != nil {
			return nil, unlessOptional(err, source.SecretRef.Optional)
		}
		data := make(map[string]string, len(secret.Data))
		for key, value := range secret.Data {
			data[key] = string(value)
		}
		return data, nil
	}
	return nil, nil
}

// valueFrom returns a variable's value. ok is false if an optional source does not exist.
func (n *Node) valueFrom(ctx context.Context, pod Pod, c *corev1.Container, from *corev1.EnvVarSource) (value string, ok bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = n.field(pod, from.FieldRef.FieldPath)
		return value, err == nil, err
	case from.ResourceFieldRef != nil:
		value, err = n.resourceField(pod.Pod, c, from.ResourceFieldRef)
		return value, err == nil, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		configMap, err := n.configMap(ctx, pod.Pod, ref.Name)
		if err != nil {
			return "", false, unlessOptional(err, ref.Optional)
		}
		if value, ok = configMap.Data[ref.Key]; !ok && !ptr.Deref(ref.Optional, false) {
			return "", false, configErrorf("couldn't find key %v in ConfigMap %v/%v", ref.Key, pod.Namespace, ref.Name)
		}
		return value, ok, nil
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		secret, err := n.secret(ctx, pod.Pod, ref.Name)
		if err != nil {
			return "", false, unlessOptional(err, ref.Optional)
		}
		data, ok := secret.Data[ref.Key]
		if !ok && !ptr.Deref(ref.Optional, false) {
			return "", false, configErrorf("couldn't find key %v in Secret %v/%v", ref.Key, pod.Namespace, ref.Name)
		}
		return string(data), ok, nil
	case from.FileKeyRef != nil:
		return envFile(pod, from.FileKeyRef)
	}
	return "", false, nil
}

func configErrorf(format string, arguments ...any) *ConfigError {
	return &ConfigError{fmt.Sprintf(format, arguments...)}
}

// expand replaces $(NAME) with NAME's value. Unknown names stay unchanged, and $$ becomes $
// (https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/).
func expand(text string, lookup func(name string) (value string, ok bool)) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		text = after
		switch {
		case strings.HasPrefix(text, "$"):
			out.WriteByte('$')
			text = text[1:]
		case strings.HasPrefix(text, "("):
			name, rest, closed := strings.Cut(text[1:], ")")
			if !closed {
				out.WriteByte('$')
				continue
			}
			if value, ok := lookup(name); ok {
				out.WriteString(value)
			} else {
				out.WriteString("$(" + name + ")")
			}
			text = rest
		default:
			out.WriteByte('$')
		}
	}
}

func expandAll(texts []string, lookup func(string) (string, bool)) []string {
	var out []string
	for _, text := range texts {
		out = append(out, expand(text, lookup))
	}
	return out
}

// serviceVariables returns the environment variables of Services
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables). It
// includes default/kubernetes, through which programs find the API server, and the Services of the
// pod's namespace unless enableServiceLinks is false.
func (n *Node) serviceVariables(pod *corev1.Pod) (map[string]string, error) {
	variables := map[string]string{}
	if n.Services == nil {
		return variables, nil
	}
	if api, err := n.Services.Services(metav1.NamespaceDefault).Get("kubernetes"); err == nil {
		addServiceVariables(variables, api)
	}
	if !ptr.Deref(pod.Spec.EnableServiceLinks, true) {
		return variables, nil
	}
	services, err := n.Services.Services(pod.Namespace).List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("services of namespace %s: %w", pod.Namespace, err)
	}
	for _, service := range services {
		addServiceVariables(variables, service)
	}
	return variables, nil
}

// addServiceVariables adds NAME_SERVICE_HOST, NAME_SERVICE_PORT, and Docker's link variables.
func addServiceVariables(variables map[string]string, service *corev1.Service) {
	address := service.Spec.ClusterIP
	if address == "" || address == corev1.ClusterIPNone || len(service.Spec.Ports) == 0 {
		return
	}
	prefix := variableName(service.Name)
	variables[prefix+"_SERVICE_HOST"] = address
	variables[prefix+"_SERVICE_PORT"] = strconv.Itoa(int(service.Spec.Ports[0].Port))
	for i, port := range service.Spec.Ports {
		number := strconv.Itoa(int(port.Port))
		if port.Name != "" {
			variables[prefix+"_SERVICE_PORT_"+variableName(port.Name)] = number
		}
		protocol := cmp.Or(strings.ToLower(string(port.Protocol)), "tcp")
		url := protocol + "://" + net.JoinHostPort(address, number)
		if i == 0 {
			variables[prefix+"_PORT"] = url
		}
		link := prefix + "_PORT_" + number + "_" + strings.ToUpper(protocol)
		variables[link] = url
		variables[link+"_PROTO"] = protocol
		variables[link+"_PORT"] = number
		variables[link+"_ADDR"] = address
	}
}

func variableName(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// envFile returns a variable from a file that an init container wrote to an emptyDir
// (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/).
// As in a kubelet, an empty value counts as missing.
func envFile(pod Pod, ref *corev1.FileKeySelector) (value string, ok bool, err error) {
	text, err := readInside(volumeDir(pod, ref.VolumeName), ref.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && ptr.Deref(ref.Optional, false):
		return "", false, nil
	case err != nil:
		return "", false, configErrorf("couldn't read env file %q of volume %q: %v", ref.Path, ref.VolumeName, err)
	}
	variables, err := parseEnvFile(text)
	if err != nil {
		return "", false, configErrorf("couldn't parse env file: %v", err)
	}
	value = variables[ref.Key]
	if value == "" && !ptr.Deref(ref.Optional, false) {
		return "", false, configErrorf("environment variable key %q not found in file %q", ref.Key, ref.Path)
	}
	return value, value != "", nil
}

func readInside(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	// A container wrote the file. It might be a pipe, which would block, or be too large for memory.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("not a regular file")
	case info.Size() > maxEnvFile:
		return "", fmt.Errorf("larger than %d bytes", maxEnvFile)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxEnvFile))
	return string(content), err
}

// maxEnvFile is larger than the limit for one variable, 128 KiB (MAX_ARG_STRLEN in execve(2)).
const maxEnvFile = 1 << 20

// parseEnvFile parses lines of NAME='value', comments, and empty lines. A value can span lines. As
// in a shell, a space before the quote means an empty value. The first value of a name wins.
func parseEnvFile(text string) (map[string]string, error) {
	variables := map[string]string{}
	for number := 1; text != ""; number++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, found := strings.Cut(line, "=")
		switch {
		case !found:
			return nil, fmt.Errorf("line %d: missing '='", number)
		case name == "" || strings.ContainsAny(name, " \t"):
			return nil, fmt.Errorf("line %d: name before '=' is empty or has a space", number)
		}
		value := ""
		if !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "\t") {
			if !strings.HasPrefix(rest, "'") {
				return nil, fmt.Errorf("line %d: value must be enclosed in single quotes", number)
			}
			start := number
			var closed bool
			var after string
			for value, after, closed = strings.Cut(rest[1:], "'"); !closed; value, after, closed = strings.Cut(rest[1:], "'") {
				if text == "" {
					return nil, fmt.Errorf("line %d: single quote is not closed", start)
				}
				line, text, _ = strings.Cut(text, "\n")
				rest += "\n" + strings.TrimSuffix(line, "\r")
				number++
			}
			if after = strings.TrimLeft(after, " \t"); after != "" && after[0] != '#' {
				return nil, fmt.Errorf("line %d: text after the closing quote", number)
			}
		}
		if _, known := variables[name]; !known {
			variables[name] = value
		}
	}
	return variables, nil
}
