package podspec_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// files lists the files in a directory as "path mode content".
func files(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		top := filepath.Join(dir, entry.Name())
		real, err := filepath.EvalSymlinks(top)
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			lines = append(lines, entry.Name()+strings.TrimPrefix(path, real)+" "+info.Mode().Perm().String()+" "+readFile(t, path))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(lines, "\n")
}

func TestVolumesHaveFilesOfManifest(t *testing.T) {
	for _, test := range []struct{ name, volume, want string }{
		{
			"every key of a ConfigMap",
			`configMap: {name: web-config}`,
			"PORT -rw-r--r-- 8080\nlog.level -rw-r--r-- debug",
		},
		{
			"selected keys of a ConfigMap with paths and modes",
			`configMap: {name: web-config, defaultMode: 0o400, items: [{key: PORT, path: net/port}, {key: log.level, path: level, mode: 0o755}]}`,
			"level -rwxr-xr-x debug\nnet/port -r-------- 8080",
		},
		{
			"a Secret",
			`secret: {secretName: web-tls, defaultMode: 0o400}`,
			"tls.crt -r-------- CERT\ntls.key -r-------- KEY",
		},
		{
			"a missing optional source is an empty directory",
			`secret: {secretName: nope, optional: true}`,
			"",
		},
		{
			"a missing optional key is omitted",
			`configMap: {name: web-config, optional: true, items: [{key: nope, path: a}, {key: PORT, path: b}]}`,
			"b -rw-r--r-- 8080",
		},
		{
			"the downward API, with labels sorted and quoted",
			`downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}},
  {path: notes, fieldRef: {fieldPath: metadata.annotations}},
  {path: cpu, mode: 0o600, resourceFieldRef: {containerName: web, resource: limits.cpu}}]}`,
			"cpu -rw------- 4\nlabels -rw-r--r-- app=\"web\"\ntier=\"front\"\nnotes -rw-r--r-- build=\"say \\\"hi\\\"\"",
		},
		{
			"several sources in one directory",
			`projected: {defaultMode: 0o440, sources: [{secret: {name: web-tls, items: [{key: tls.crt, path: crt}]}},
  {configMap: {name: web-config, items: [{key: PORT, path: port}]}},
  {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}`,
			"crt -r--r----- CERT\nname -r--r----- web-0\nport -r--r----- 8080",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			node, _ := newNode(t, objects()...)
			pod := newPod(t, "containers: [{name: web, volumeMounts: [{name: v, mountPath: /v}]}]\nvolumes:\n- name: v\n"+indent(test.volume))
			mount := source(t, render(t, node, pod), "/v")
			if !mount.ReadOnly {
				t.Error("volumes with files of the node must be read-only")
			}
			if got := files(t, mount.Source); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestVolumeErrors(t *testing.T) {
	const failed = `MountVolume.SetUp failed for volume "v" : `
	for volume, want := range map[string]string{
		`configMap: {name: nope}`:                                      failed + `configmap "nope" not found`,
		`secret: {secretName: nope}`:                                   failed + `secret "nope" not found`,
		`configMap: {name: web-config, items: [{key: nope, path: a}]}`: failed + `configmap references non-existent config key: nope`,
		`secret: {secretName: web-tls, items: [{key: nope, path: a}]}`: failed + `references non-existent secret key: nope`,
		`secret: {secretName: web-tls, items: [{key: tls.crt, path: ../a}]}`: failed +
			`invalid path "../a": it must be relative, and ".." is not allowed at the start`,
		`projected: {sources: [{secret: {name: nope}}, {configMap: {name: none}}]}`: failed +
			`secret "nope" not found; configmap "none" not found`,
		`persistentVolumeClaim: {claimName: data}`: `volume "v": persistentVolumeClaim is not supported in embedded clusters; use kind`,
		`nfs: {server: a, path: /b}`:               `volume "v": nfs is not supported in embedded clusters; use kind`,
		`hostPath: {path: /var/run/docker.sock, type: Socket}`: failed +
			`hostPath type check failed: /var/run/docker.sock is not a socket file`,
		`hostPath: {path: /etc, type: Directory}`: failed + `hostPath type check failed: /etc is not a directory`,
	} {
		node, _ := newNode(t, objects()...)
		pod := newPod(t, "containers: [{name: web}]\nvolumes:\n- name: good\n  configMap: {name: web-config}\n- name: v\n"+indent(volume))
		if err := node.Volumes(t.Context(), pod); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", volume, err, want)
		}
		if _, err := os.Stat(filepath.Join(pod.Dir, "volumes", "good", "PORT")); err != nil {
			t.Errorf("%s: the other volume does not exist: %v", volume, err)
		}
	}
}

func TestVolumesSucceedAfterRetry(t *testing.T) {
	node, client := newNode(t)
	pod := newPod(t, "containers: [{name: web, volumeMounts: [{name: cert, mountPath: /cert}]}]\n"+
		"volumes: [{name: cert, secret: {secretName: late}}]")
	if err := node.Volumes(t.Context(), pod); err == nil {
		t.Fatal("want an error without the Secret")
	}
	create(t, client, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "late"},
		Data: map[string][]byte{"k": []byte("v")}})
	if got := files(t, source(t, render(t, node, pod), "/cert").Source); got != "k -rw-r--r-- v" {
		t.Errorf("got %q", got)
	}
}

func create(t *testing.T, client *fake.Clientset, secret *corev1.Secret) {
	t.Helper()
	if _, err := client.CoreV1().Secrets(secret.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func tokens(client *fake.Clientset, answer func(*authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error)) {
	client.PrependReactor("create", "serviceaccounts", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create, ok := action.(clienttesting.CreateAction)
		if !ok || action.GetSubresource() != "token" {
			return false, nil, nil
		}
		request, ok := create.GetObject().(*authenticationv1.TokenRequest)
		if !ok {
			return true, nil, errors.New("want a TokenRequest")
		}
		token, err := answer(request)
		return true, token, err
	})
}

func TestEmptyDirIsSharedAndKept(t *testing.T) {
	node, _ := newNode(t)
	pod := newPod(t, `
volumes: [{name: tmp, emptyDir: {medium: Memory}}]
containers:
- {name: web, volumeMounts: [{name: tmp, mountPath: /tmp}, {name: tmp, mountPath: /logs/today, subPathExpr: "$(POD)/logs", readOnly: true}],
   env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}`)
	spec := render(t, node, pod)
	tmp, logs := source(t, spec, "/tmp"), source(t, spec, "/logs/today")
	if tmp.ReadOnly || !logs.ReadOnly {
		t.Errorf("readOnly must follow the volumeMount: %v %v", tmp, logs)
	}
	if logs.Source != filepath.Join(tmp.Source, "web-0", "logs") {
		t.Errorf("subPathExpr: got %s", logs.Source)
	}
	if info, err := os.Stat(tmp.Source); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("every user must be able to write: %v %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(tmp.Source, "kept"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp.Source, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := node.Volumes(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(tmp.Source); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("changes of a container must stay: %v %v", info.Mode(), err)
	}
	readFile(t, filepath.Join(tmp.Source, "kept"))
}

func TestSubPathOfConfigMapIsRegularFile(t *testing.T) {
	node, _ := newNode(t, objects()...)
	pod := newPod(t, "volumes: [{name: c, configMap: {name: web-config}}]\n"+
		"containers: [{name: web, volumeMounts: [{name: c, mountPath: /etc/web/port, subPath: PORT}]}]")
	mount := source(t, render(t, node, pod), "/etc/web/port")
	if info, err := os.Lstat(mount.Source); err != nil || !info.Mode().IsRegular() {
		t.Fatalf("want a regular file: %v %v", info, err)
	}
	if got := readFile(t, mount.Source); got != "8080" {
		t.Errorf("got %q", got)
	}
}

func TestSubPathRejectsLinkOutOfVolume(t *testing.T) {
	node, _ := newNode(t)
	pod := newPod(t, "volumes: [{name: tmp, emptyDir: {}}]\n"+
		"containers: [{name: web, volumeMounts: [{name: tmp, mountPath: /x, subPath: out}]}]")
	if err := node.Volumes(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(pod.Dir, "volumes", "tmp", "out")); err != nil {
		t.Fatal(err)
	}
	_, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0])
	var configError *podspec.ConfigError
	if !errors.As(err, &configError) {
		t.Errorf("got %v", err)
	}
}

// Replacing a hostPath with a link after the check must not create directories elsewhere.
func TestSubPathOfHostPathCreatesNothingOutside(t *testing.T) {
	node, _ := newNode(t)
	pod := newPod(t, "volumes: [{name: h, hostPath: {path: /data}}]\n"+
		"containers: [{name: web, volumeMounts: [{name: h, mountPath: /x, subPath: made}]}]")
	if err := node.Volumes(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	data := filepath.Join(node.HostDir, "data")
	if err := errors.Join(os.Remove(data), os.Symlink(outside, data)); err != nil {
		t.Fatal(err)
	}
	_, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0])
	var configError *podspec.ConfigError
	if !errors.As(err, &configError) {
		t.Errorf("got %v", err)
	}
	if made := files(t, outside); made != "" {
		t.Errorf("created %s", made)
	}
}

func TestMountsOfWritableVolumesHaveWithin(t *testing.T) {
	node, _ := newNode(t)
	spec := render(t, node, newPod(t, `
volumes: [{name: h, hostPath: {path: /data}}, {name: tmp, emptyDir: {}}]
containers: [{name: web, volumeMounts: [{name: h, mountPath: /h}, {name: h, mountPath: /hs, subPath: a},
  {name: tmp, mountPath: /t, subPath: a/b}]}]`))
	for target, want := range map[string]string{"/h": node.HostDir, "/hs": node.HostDir} {
		if mount := source(t, spec, target); mount.Within != want {
			t.Errorf("%+v can leave %s", mount, want)
		}
	}
	mount := source(t, spec, "/t")
	if mount.Source != filepath.Join(mount.Within, "a", "b") {
		t.Errorf("%+v can leave its volume", mount)
	}
	if info, err := os.Stat(mount.Source); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("every user must be able to write: %v %v", info.Mode(), err)
	}
}

func TestHostPathIsInHostDir(t *testing.T) {
	for volume, check := range map[string]func(fs.FileMode) bool{
		`{path: /data/web}`:                            fs.FileMode.IsDir,
		`{path: /../../data, type: DirectoryOrCreate}`: fs.FileMode.IsDir,
		`{path: /, type: Directory}`:                   fs.FileMode.IsDir,
		`{path: /web.pid, type: FileOrCreate}`:         fs.FileMode.IsRegular,
	} {
		node, _ := newNode(t)
		pod := newPod(t, "volumes: [{name: h, hostPath: "+volume+"}]\ncontainers: [{name: web, volumeMounts: [{name: h, mountPath: /h}]}]")
		mount := source(t, render(t, node, pod), "/h")
		if mount.Source != node.HostDir && !strings.HasPrefix(mount.Source, node.HostDir+"/") {
			t.Errorf("%s: %s is outside %s", volume, mount.Source, node.HostDir)
		}
		if info, err := os.Stat(mount.Source); err != nil || !check(info.Mode()) {
			t.Errorf("%s: %v %v", volume, info, err)
		}
		if mount.ReadOnly {
			t.Errorf("%s is read-only", volume)
		}
	}
}

func TestHostPathRejectsLinkOutOfHostDir(t *testing.T) {
	node, _ := newNode(t)
	if err := os.MkdirAll(node.HostDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(node.HostDir, "out")); err != nil {
		t.Fatal(err)
	}
	err := node.Volumes(t.Context(), newPod(t, "volumes: [{name: h, hostPath: {path: /out/passwd}}]\ncontainers: [{name: web}]"))
	if err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("got %v", err)
	}
}

func TestFilesBelongToFSGroup(t *testing.T) {
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(probe, -1, 3000); err != nil {
		t.Skip("changing the group of a file requires root: ", err)
	}
	node, _ := newNode(t, objects()...)
	spec := render(t, node, newPod(t, `
securityContext: {fsGroup: 3000}
volumes: [{name: s, secret: {secretName: web-tls, defaultMode: 0o400}}, {name: tmp, emptyDir: {}}]
containers: [{name: web, volumeMounts: [{name: s, mountPath: /s}, {name: tmp, mountPath: /tmp}]}]`))
	for file, want := range map[string]fs.FileMode{
		filepath.Join(source(t, spec, "/s").Source, "tls.key"): 0o440,
		source(t, spec, "/tmp").Source:                         0o777 | fs.ModeDir | fs.ModeSetgid,
	} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Gid != 3000 || info.Mode() != want {
			t.Errorf("%s: %v, want %v of group 3000", file, info.Mode(), want)
		}
	}
}
