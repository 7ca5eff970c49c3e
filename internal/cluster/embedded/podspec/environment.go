package podspec

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// environment is what a container's variables are. A variable keeps the place where it was first set.
type environment struct {
	names  []string
	values map[string]string
	// services are the variables of Services; those of the manifest win over them.
	services map[string]string
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

// list returns KEY=value for each variable. HOSTNAME comes first, so that the manifest may have another: container runtimes
// set it, kubelets do not, and a manifest cannot refer to it.
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
		if strings.ContainsRune(variable, 0) { // execve(2) ends strings there
			name, _, _ := strings.Cut(variable, "=")
			return nil, configErrorf("environment variable %q has a NUL byte in its value", name)
		}
	}
	return out, nil
}

// environment works out a container's variables: envFrom first, then env in its order, each of which may refer to those
// before it and to the variables of Services.
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

// envFrom returns every key of a ConfigMap or Secret. Any key will do for a name: since v1.34 a variable may have every
// printable character in it but "=" (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/).
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

// valueFrom returns what a variable refers to; ok is false if that is optional and not there.
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
		if value, ok = configMap.Data[ref.Key]; !ok && !isTrue(ref.Optional) {
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
		if !ok && !isTrue(ref.Optional) {
			return "", false, configErrorf("couldn't find key %v in Secret %v/%v", ref.Key, pod.Namespace, ref.Name)
		}
		return string(data), ok, nil
	case from.FileKeyRef != nil:
		return envFile(pod, from.FileKeyRef)
	}
	return "", false, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

func configErrorf(format string, arguments ...any) *ConfigError {
	return &ConfigError{fmt.Sprintf(format, arguments...)}
}
