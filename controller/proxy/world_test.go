package proxy_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// object adds an object to the snapshot of a table.
type object func(*routing.Snapshot)

// secret is in the Ingress's namespace.
func secret(name string, data map[string]string) object {
	return func(s *routing.Snapshot) {
		o := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{}}
		for key, value := range data {
			o.Data[key] = []byte(value)
		}
		s.Secrets = append(s.Secrets, o)
	}
}

// configMap is in the given namespace.
func configMap(namespace, name string, data map[string]string) object {
	return func(s *routing.Snapshot) {
		s.ConfigMaps = append(s.ConfigMaps, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data})
	}
}

// service is in the Ingress's namespace, with port 80 and pods at the addresses.
func service(name string, addresses ...string) object {
	return func(s *routing.Snapshot) {
		s.Services = append(s.Services, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.9", Ports: []corev1.ServicePort{{Port: 80}}},
		})
		for i, address := range addresses {
			pods := slice(i, address)
			pods.Name = fmt.Sprintf("%s-%d", name, i)
			pods.Labels = map[string]string{discoveryv1.LabelServiceName: name}
			s.EndpointSlices = append(s.EndpointSlices, pods)
		}
	}
}

// withoutPods removes the pods of the Ingress's Service.
func withoutPods(s *routing.Snapshot) { s.EndpointSlices = nil }

// settings is the name of the controller's ConfigMap.
const settings = "controller"

// world loads a table for the host, with the pod 10.0.0.1:80, the annotations and the objects, and
// returns its problems.
func (r *rig) world(annotations map[string]string, objects ...object) []routing.Problem {
	r.t.Helper()
	s := snapshot(annotations, []string{"10.0.0.1:80"})
	for _, add := range objects {
		add(&s)
	}
	o := routing.Options{IngressClass: "lab"}
	o.ConfigMap.Namespace, o.ConfigMap.Name = "lab", settings
	table, problems := routing.Build(s, o, nil)
	r.server.Swap(table)
	return problems
}

// worldRig is a rig whose pod responds "secret page", with the given world.
func worldRig(t *testing.T, annotations map[string]string, objects ...object) *rig {
	t.Helper()
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", say("secret page"))
	if problems := r.world(annotations, objects...); len(problems) > 0 {
		t.Fatalf("table with problems: %v", problems)
	}
	return r
}

// ask sends a GET of the path with headers, each as "Name: value".
func (r *rig) ask(path string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	return r.send(http.MethodGet, path, headers...)
}

// send is ask with another method.
func (r *rig) send(method, path string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	request := r.request(method, path, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	return r.do(request)
}

// wantStatus checks the status, and that the body is the pod's page if and only if the status is
// 200.
func wantStatus(t *testing.T, response *http.Response, body string, want int) {
	t.Helper()
	if response.StatusCode != want {
		t.Errorf("status %d, want %d; body %q", response.StatusCode, want, body)
	}
	if strings.Contains(body, "secret page") != (want == http.StatusOK) {
		t.Errorf("status %d with the body %q", response.StatusCode, body)
	}
}

// basic is the Authorization header for a password.
func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// shaOf is a password as htpasswd -s writes it.
func shaOf(password string) string {
	digest := sha1.Sum([]byte(password))
	return "{SHA}" + base64.StdEncoding.EncodeToString(digest[:])
}

// bcryptOf is a password as htpasswd -B writes it, at the lowest cost.
func bcryptOf(password string) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return err.Error()
	}
	return string(hash)
}
