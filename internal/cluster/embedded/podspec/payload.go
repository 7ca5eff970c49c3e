package podspec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	corev1 "k8s.io/api/core/v1"
)

// payload is the files of a volume by their path in it.
type payload map[string]file

type file struct {
	content []byte
	mode    fs.FileMode
}

// defaultMode is what the API server fills in.
const defaultMode = 0o644

func modeOr(mode *int32, otherwise fs.FileMode) fs.FileMode {
	if mode == nil {
		return otherwise
	}
	return fs.FileMode(*mode) & fs.ModePerm
}

// payload collects what a volume holds. Of a projected volume with several sources that fail, all are named.
func (n *Node) payload(ctx context.Context, pod Pod, v *corev1.Volume) (payload, error) {
	files := payload{}
	switch {
	case v.ConfigMap != nil:
		mode := modeOr(v.ConfigMap.DefaultMode, defaultMode)
		return files, n.addConfigMap(ctx, pod, files, v.ConfigMap.Name, v.ConfigMap.Items, mode, v.ConfigMap.Optional)
	case v.Secret != nil:
		mode := modeOr(v.Secret.DefaultMode, defaultMode)
		return files, n.addSecret(ctx, pod, files, v.Secret.SecretName, v.Secret.Items, mode, v.Secret.Optional)
	case v.DownwardAPI != nil:
		return files, n.addDownward(pod, files, v.DownwardAPI.Items, modeOr(v.DownwardAPI.DefaultMode, defaultMode))
	case v.Projected != nil:
		mode := modeOr(v.Projected.DefaultMode, defaultMode)
		var problems volumeErrors
		for i := range v.Projected.Sources {
			if err := n.addProjection(ctx, pod, files, &v.Projected.Sources[i], mode); err != nil {
				problems = append(problems, err)
			}
		}
		if len(problems) > 0 {
			return nil, problems
		}
	}
	return files, nil
}

func (n *Node) addProjection(ctx context.Context, pod Pod, files payload, p *corev1.VolumeProjection, mode fs.FileMode) error {
	switch {
	case p.ConfigMap != nil:
		return n.addConfigMap(ctx, pod, files, p.ConfigMap.Name, p.ConfigMap.Items, mode, p.ConfigMap.Optional)
	case p.Secret != nil:
		return n.addSecret(ctx, pod, files, p.Secret.Name, p.Secret.Items, mode, p.Secret.Optional)
	case p.DownwardAPI != nil:
		return n.addDownward(pod, files, p.DownwardAPI.Items, mode)
	case p.ServiceAccountToken != nil:
		text, err := n.token(ctx, pod.Pod, p.ServiceAccountToken)
		if err != nil {
			return err
		}
		files[path.Clean(p.ServiceAccountToken.Path)] = file{[]byte(text), mode}
		return nil
	}
	return errors.New("clusterTrustBundle and podCertificate are not supported on an embedded cluster; use kind")
}

func (n *Node) addConfigMap(ctx context.Context, pod Pod, files payload, name string, items []corev1.KeyToPath, mode fs.FileMode, optional *bool) error {
	configMap, err := n.configMap(ctx, pod.Pod, name)
	if err != nil {
		return unlessOptional(err, optional)
	}
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	for key, text := range configMap.Data {
		data[key] = []byte(text)
	}
	for key, content := range configMap.BinaryData {
		data[key] = content
	}
	if key, ok := files.addKeys(data, items, mode); !ok && !isTrue(optional) {
		return fmt.Errorf("configmap references non-existent config key: %s", key)
	}
	return nil
}

func (n *Node) addSecret(ctx context.Context, pod Pod, files payload, name string, items []corev1.KeyToPath, mode fs.FileMode, optional *bool) error {
	secret, err := n.secret(ctx, pod.Pod, name)
	if err != nil {
		return unlessOptional(err, optional)
	}
	if key, ok := files.addKeys(secret.Data, items, mode); !ok && !isTrue(optional) {
		return fmt.Errorf("references non-existent secret key: %s", key)
	}
	return nil
}

// addKeys adds the keys that items select, or all if there are none. It returns the first key that is missing; ok is true
// if none is.
func (p payload) addKeys(data map[string][]byte, items []corev1.KeyToPath, mode fs.FileMode) (missing string, ok bool) {
	if len(items) == 0 {
		for key, content := range data {
			p[key] = file{content, mode}
		}
		return "", true
	}
	ok = true
	for _, item := range items {
		content, there := data[item.Key]
		if there {
			p[path.Clean(item.Path)] = file{content, modeOr(item.Mode, mode)}
		} else if ok {
			missing, ok = item.Key, false
		}
	}
	return missing, ok
}

func (n *Node) addDownward(pod Pod, files payload, items []corev1.DownwardAPIVolumeFile, mode fs.FileMode) error {
	for i := range items {
		item := &items[i]
		var text string
		var err error
		switch {
		case item.FieldRef != nil:
			text, err = n.field(pod, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			text, err = n.resourceField(pod.Pod, nil, item.ResourceFieldRef)
		}
		if err != nil {
			return err
		}
		files[path.Clean(item.Path)] = file{[]byte(text), modeOr(item.Mode, mode)}
	}
	return nil
}
