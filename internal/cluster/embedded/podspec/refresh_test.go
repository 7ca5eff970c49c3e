package podspec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

const reader = "volumes: [{name: c, configMap: {name: web-config}}]\ncontainers: [{name: web, volumeMounts: [{name: c, mountPath: /c}]}]"

func setPort(t *testing.T, client *fake.Clientset, port string) {
	t.Helper()
	_, err := client.CoreV1().ConfigMaps("shop").Update(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-config"}, Data: map[string]string{"PORT": port},
	}, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangedConfigMapReachesRunningPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, client := newNode(t, objects()...)
		pod := newPod(t, reader)
		dir := source(t, render(t, node, pod), "/c").Source
		before, err := os.Readlink(filepath.Join(dir, "..data"))
		if err != nil {
			t.Fatal(err)
		}
		const after = 30 * time.Second
		<-time.After(after)
		if err := node.Volumes(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		if same, err := os.Readlink(filepath.Join(dir, "..data")); err != nil || same != before {
			t.Errorf("unchanged files were written again: %s %v", same, err)
		}
		setPort(t, client, "9090")
		<-time.After(after)
		if err := node.Volumes(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		if got := files(t, dir); got != "PORT -rw-r--r-- 9090" {
			t.Errorf("want one key less, got %q", got)
		}
		if _, err := os.Stat(filepath.Join(dir, before)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("old files still exist: %v", err)
		}
	})
}

func TestNewPodGetsChangedObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, client := newNode(t, objects()...)
		first := newPod(t, reader)
		first.CreationTimestamp = metav1.Now()
		render(t, node, first)
		setPort(t, client, "9090")
		second := newPod(t, reader)
		second.UID, second.CreationTimestamp = "d-e-f", metav1.Now()
		if got := files(t, source(t, render(t, node, second), "/c").Source); got != "PORT -rw-r--r-- 9090" {
			t.Errorf("got %q", got)
		}
	})
}

func TestPodsOfRolloutShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, client := newNode(t, objects()...)
		created := metav1.Now()
		<-time.After(1500 * time.Millisecond)
		for i := range 20 {
			pod := newPod(t, reader)
			pod.UID, pod.CreationTimestamp = types.UID("pod-"+strconv.Itoa(i)), created
			render(t, node, pod)
		}
		if reads := len(client.Actions()); reads != 1 {
			t.Errorf("%d requests", reads)
		}
	})
}

const tokenReader = `
volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: token, audience: vault, expirationSeconds: 1000}}]}}]
serviceAccountName: robot
containers: [{name: web, volumeMounts: [{name: t, mountPath: /t}]}]`

func TestTokenIsBoundToPodAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, client := newNode(t)
		asked := 0
		var down error
		tokens(client, func(r *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
			if down != nil {
				return nil, down
			}
			asked++
			ref := r.Spec.BoundObjectRef
			if ref == nil || ref.Kind != "Pod" || ref.Name != "web-0" || ref.UID != "a-b-c" || r.Spec.Audiences[0] != "vault" ||
				*r.Spec.ExpirationSeconds != 1000 {
				t.Errorf("request: %+v", r.Spec)
			}
			r.Status = authenticationv1.TokenRequestStatus{
				Token: "token-" + strconv.Itoa(asked), ExpirationTimestamp: metav1.NewTime(time.Now().Add(1000 * time.Second)),
			}
			return r, nil
		})
		pod := newPod(t, tokenReader)
		dir := source(t, render(t, node, pod), "/t").Source
		for _, step := range []struct {
			wait time.Duration
			down error
			want string
		}{
			{0, nil, "token-1"},
			{799 * time.Second, nil, "token-1"},
			{2 * time.Second, errors.New("API server restarts"), "token-1"}, // valid for 199 s more
			{30 * time.Second, nil, "token-2"},
			{900 * time.Second, nil, "token-3"},
		} {
			<-time.After(step.wait)
			down = step.down
			if err := node.Volumes(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
			if got := readFile(t, filepath.Join(dir, "token")); got != step.want {
				t.Errorf("%v later: got %s, want %s", step.wait, got, step.want)
			}
		}
		<-time.After(1001 * time.Second)
		down = errors.New("API server is down")
		if err := node.Volumes(t.Context(), pod); err == nil ||
			err.Error() != `MountVolume.SetUp failed for volume "t" : failed to fetch token: API server is down` {
			t.Errorf("want an error for an expired token, got %v", err)
		}
	})
}
