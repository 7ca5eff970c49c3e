package podspec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/ptr"
)

type payload map[string]file

type file struct {
	content []byte
	mode    fs.FileMode
}

const defaultMode = 0o644

func modeOr(mode *int32, otherwise fs.FileMode) fs.FileMode {
	return fs.FileMode(ptr.Deref(mode, int32(otherwise))) & fs.ModePerm
}

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
	return errors.New("clusterTrustBundle and podCertificate are not supported in embedded clusters; use kind")
}

func (n *Node) addConfigMap(ctx context.Context, pod Pod, files payload, name string, items []corev1.KeyToPath, mode fs.FileMode,
	optional *bool) error {
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
	if key, ok := files.addKeys(data, items, mode); !ok && !ptr.Deref(optional, false) {
		return fmt.Errorf("configmap references non-existent config key: %s", key)
	}
	return nil
}

func (n *Node) addSecret(ctx context.Context, pod Pod, files payload, name string, items []corev1.KeyToPath, mode fs.FileMode,
	optional *bool) error {
	secret, err := n.secret(ctx, pod.Pod, name)
	if err != nil {
		return unlessOptional(err, optional)
	}
	if key, ok := files.addKeys(secret.Data, items, mode); !ok && !ptr.Deref(optional, false) {
		return fmt.Errorf("references non-existent secret key: %s", key)
	}
	return nil
}

// addKeys adds the keys that items select, or all keys if items is empty. If keys are missing, it
// returns the first missing key and false.
func (p payload) addKeys(data map[string][]byte, items []corev1.KeyToPath, mode fs.FileMode) (missing string, ok bool) {
	if len(items) == 0 {
		for key, content := range data {
			p[key] = file{content, mode}
		}
		return "", true
	}
	ok = true
	for _, item := range items {
		if content, exists := data[item.Key]; exists {
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

// A volume whose files the node writes has this layout, so that readers see a consistent state:
//
//	tls.crt -> ..data/tls.crt
//	tls.key -> ..data/tls.key
//	..data  -> ..1723456
//	..1723456/tls.crt
//	..1723456/tls.key
//
// rename(2) swaps ..data atomically. Programs that reload certificates rely on these names.
const (
	dataLink    = "..data"
	newDataLink = "..data_tmp"
	hidden      = ".." // the prefix of internal names
)

// write changes the volume in dir so that it has exactly these files.
func (p payload) write(dir string, group *int64) error {
	for name := range p {
		if !filepath.IsLocal(name) || strings.HasPrefix(name, hidden) {
			return fmt.Errorf("invalid path %q: it must be relative, and \"..\" is not allowed at the start", name)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.Readlink(filepath.Join(dir, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if old == "" || !p.sameAs(filepath.Join(dir, old), group) {
		if err := p.swap(dir, group); err != nil {
			return err
		}
	}
	return p.link(dir)
}

func (f file) groupMode(group *int64) fs.FileMode {
	if group == nil {
		return f.mode
	}
	return f.mode | 0o440
}

// sameAs reports whether the directory has exactly these files.
func (p payload) sameAs(dir string, group *int64) bool {
	found := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		want, ok := p[name]
		info, err := entry.Info()
		if err != nil || !ok || (info.Mode().Perm() != want.mode && info.Mode().Perm() != want.groupMode(group)) {
			return fs.ErrInvalid
		}
		content, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(content, want.content) {
			return fs.ErrInvalid
		}
		found++
		return nil
	})
	return err == nil && found == len(p)
}

// swap writes the files to a new directory, makes it current, and removes the old ones.
func (p payload) swap(dir string, group *int64) error {
	fresh, err := os.MkdirTemp(dir, hidden)
	if err != nil {
		return err
	}
	if err := p.fill(fresh, group); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	link := filepath.Join(dir, newDataLink)
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(fresh), link); err != nil {
		return err
	}
	if err := os.Rename(link, filepath.Join(dir, dataLink)); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), hidden) && entry.Name() != filepath.Base(fresh) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return err
}

func (p payload) fill(dir string, group *int64) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, file := range p {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(path, file.mode); err != nil {
			return err
		}
		if err := own(path, group, file.groupMode(group)); err != nil {
			return err
		}
	}
	return nil
}

func (p payload) link(dir string) error {
	wanted := sets.New[string]()
	for name := range p {
		top, _, _ := strings.Cut(filepath.ToSlash(name), "/")
		wanted.Insert(top)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case wanted.Has(name):
			wanted.Delete(name)
		case !strings.HasPrefix(name, hidden):
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range sets.List(wanted) {
		if err := os.Symlink(filepath.Join(dataLink, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
