package podspec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// written says whether the node writes the files of the volume.
func written(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.DownwardAPI != nil
}

// Volumes writes the files of every volume of the pod into its directory. The error is one for an Event with the reason
// FailedMount, in the words of a kubelet (`MountVolume.SetUp failed for volume "cert" : secret "web-tls" not found`; several
// are joined by "; "), and the call can be repeated until what is missing is there; the other volumes are complete
// nevertheless. Repeated for a running pod it brings changes to the containers, and new tokens when four fifths of
// the life of the old ones are over: the files of later calls replace those before at once, as kubelets do it (a symbolic link
// ..data that is swapped), and nothing is written if nothing has changed.
func (n *Node) Volumes(ctx context.Context, pod Pod) error {
	var problems volumeErrors
	for i := range pod.Spec.Volumes {
		if err := n.volume(ctx, pod, &pod.Spec.Volumes[i]); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

type volumeErrors []error

func (e volumeErrors) Error() string {
	texts := make([]string, 0, len(e))
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors of the volumes, one each.
func (e volumeErrors) Unwrap() []error { return e }

func (n *Node) volume(ctx context.Context, pod Pod, v *corev1.Volume) error {
	var err error
	dir := volumeDir(pod, v.Name)
	switch {
	case v.EmptyDir != nil:
		err = makeEmptyDir(dir, fsGroup(pod.Pod))
	case v.HostPath != nil:
		err = n.prepareHostPath(v.HostPath)
	case written(v):
		var files payload
		if files, err = n.payload(ctx, pod, v); err == nil {
			err = files.write(dir, fsGroup(pod.Pod))
		}
	default:
		return fmt.Errorf("volume %q: %s is not supported on an embedded cluster; use kind", v.Name, sourceName(v))
	}
	if err != nil {
		return fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", v.Name, err)
	}
	return nil
}

// makeEmptyDir makes the directory if the pod does not have it yet; later it is the containers'. Medium Memory, too, is a
// plain directory: nothing limits memory here.
func makeEmptyDir(dir string, group *int64) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777); err != nil { // umask(2) has no say
		return err
	}
	return own(dir, group, 0o777|fs.ModeSetgid)
}

func fsGroup(pod *corev1.Pod) *int64 {
	if pod.Spec.SecurityContext == nil {
		return nil
	}
	return pod.Spec.SecurityContext.FSGroup
}

// own gives a file to the pod's fsGroup with the mode that goes with it. Where the supervisor is not root there is one user
// and one group, and nothing to do.
func own(file string, group *int64, mode fs.FileMode) error {
	if group == nil {
		return nil
	}
	err := os.Lchown(file, -1, int(*group))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

// sourceName is the key of a volume in a manifest: "persistentVolumeClaim".
func sourceName(v *corev1.Volume) string {
	text, err := json.Marshal(v.VolumeSource)
	if err != nil {
		return "its source"
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return "its source"
	}
	for key := range keys {
		return key
	}
	return "its source"
}
