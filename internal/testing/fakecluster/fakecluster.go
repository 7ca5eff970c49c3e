// Package fakecluster simulates a cluster in memory for the tests of scenarios and labs: an API
// server, controllers, and an ingress. Changes are in effect when Apply returns.
//
// It simulates only the state that scenarios and labs read: Deployments get a pod and a condition,
// Services get endpoints, and Ingresses of its class get an address and are served.
package fakecluster

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// Address is the address in the status of Ingresses.
const Address = "10.1.2.3"

// Cluster implements scenario.Kube, and serves HTTP as an ingress. Set its hooks before use.
type Cluster struct {
	// ApplyErr returns the error of Apply for an object. If it is nil, there are no errors.
	ApplyErr func(*unstructured.Unstructured) error
	// ReadyErr returns the error of WaitReady. If it is nil, there are no errors.
	ReadyErr     func(context.Context, []*unstructured.Unstructured) error
	NamespaceErr error  // NamespaceErr is the error of EnsureNamespace
	Keeps        string // Keeps is an object, as "Kind/name", that Delete does not remove
	// OnExec runs programs in containers. If it is nil, each program exits with 0 and no output.
	OnExec func(kube.Command) (kube.Output, error)
	// OnPost responds to POST requests to pods. If it is nil, the response is 200.
	OnPost func(pod, path string, query url.Values) kube.Answer

	mu         sync.Mutex
	clientset  *fake.Clientset
	namespaces map[string]map[string]string
	// objects are the existing objects by identity.
	objects map[string]*unstructured.Unstructured
	uids    int
}

// New returns an empty cluster, and a client for its ingress. Both are closed when the test ends.
func New(t *testing.T) (*Cluster, *probe.Client) {
	t.Helper()
	c := &Cluster{
		// NewClientset would write its own managed fields into the objects.
		clientset:  fake.NewSimpleClientset(),
		namespaces: map[string]map[string]string{},
		objects:    map[string]*unstructured.Unstructured{},
	}
	if err := c.store(controllerPod(), corev1.SchemeGroupVersion.WithKind("Pod"), controllerNamespace); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, probe.NewClient(probe.Addresses{HTTP: server.Listener.Addr().String()})
}

// Clientset implements scenario.Kube.
func (c *Cluster) Clientset() kubernetes.Interface { return c.clientset }

// EnsureNamespace implements scenario.Kube.
func (c *Cluster) EnsureNamespace(ctx context.Context, name string, labels map[string]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.NamespaceErr != nil || ctx.Err() != nil {
		return fmt.Errorf("namespace %s: %w", name, firstError(c.NamespaceErr, ctx.Err()))
	}
	c.namespaces[name] = labels
	c.uids++
	if err := c.store(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: labels, CreationTimestamp: metav1.Unix(int64(c.uids), 0),
	}}, corev1.SchemeGroupVersion.WithKind("Namespace"), ""); err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}
	return c.store(account, corev1.SchemeGroupVersion.WithKind("ServiceAccount"), name)
}

// DeleteNamespace implements scenario.Kube.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string, _ bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	delete(c.namespaces, name)
	for id, o := range c.objects {
		if o.GetNamespace() != name {
			continue
		}
		delete(c.objects, id)
		resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		if err := c.clientset.Tracker().Delete(resource, name, o.GetName()); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	err := c.clientset.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("namespaces"), "", name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Apply implements scenario.Kube.
func (c *Cluster) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range objects {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c.ApplyErr != nil {
			if err := c.ApplyErr(o); err != nil {
				return fmt.Errorf("apply %s: %w", identity(o), err)
			}
		}
		if err := c.put(o.DeepCopy()); err != nil {
			return err
		}
	}
	return nil
}

// Put creates an object as another field manager.
func (c *Cluster) Put(t *testing.T, manager string, objects ...*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		o = o.DeepCopy()
		o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate}})
		c.mu.Lock()
		err := c.put(o)
		c.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (c *Cluster) put(o *unstructured.Unstructured) error {
	if before := c.objects[identity(o)]; before != nil {
		o.SetUID(before.GetUID())
		o.SetManagedFields(append(before.GetManagedFields(), o.GetManagedFields()...))
	} else {
		c.uids++
		o.SetUID(types.UID(fmt.Sprintf("uid-%d", c.uids)))
	}
	typed, err := scheme.Scheme.New(o.GroupVersionKind())
	if err != nil {
		return err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
		return err
	}
	c.objects[identity(o)] = o
	c.control(typed)
	return c.store(typed, o.GroupVersionKind(), o.GetNamespace())
}

func (c *Cluster) store(typed runtime.Object, gvk schema.GroupVersionKind, namespace string) error {
	resource, _ := meta.UnsafeGuessKindToResource(gvk)
	err := c.clientset.Tracker().Create(resource, typed, namespace)
	if apierrors.IsAlreadyExists(err) {
		return c.clientset.Tracker().Update(resource, typed, namespace)
	}
	return err
}

// Delete implements scenario.Kube.
func (c *Cluster) Delete(ctx context.Context, objects ...*unstructured.Unstructured) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range objects {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if o.GetKind()+"/"+o.GetName() == c.Keeps {
			continue
		}
		delete(c.objects, identity(o))
		resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		if err := c.clientset.Tracker().Delete(resource, o.GetNamespace(), o.GetName()); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// Get implements scenario.Kube.
func (c *Cluster) Get(_ context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.objects[identity(o)]; found != nil {
		return found.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: o.GetKind()}, o.GetName())
}

// WaitReady implements scenario.Kube.
func (c *Cluster) WaitReady(ctx context.Context, objects ...*unstructured.Unstructured) error {
	if c.ReadyErr != nil {
		return c.ReadyErr(ctx, objects)
	}
	return ctx.Err()
}

// Namespaces returns the names of the existing namespaces.
func (c *Cluster) Namespaces() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.namespaces {
		names = append(names, name)
	}
	return names
}

// Objects returns the existing objects as "Kind namespace/name".
func (c *Cluster) Objects() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id := range c.objects {
		ids = append(ids, id)
	}
	return ids
}

// LoseController deletes the controller's pod. The ingress continues to respond.
func (c *Cluster) LoseController(t *testing.T) {
	t.Helper()
	p := controllerPod()
	if err := c.clientset.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), p.Namespace, p.Name); err != nil {
		t.Fatal(err)
	}
}

// Warn records a warning Event.
func (c *Cluster) Warn(t *testing.T, namespace, kind, name, reason, message string) {
	t.Helper()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: strings.ToLower(name + "." + reason)},
		InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, Namespace: namespace},
		Type:           corev1.EventTypeWarning, Reason: reason, Message: message, Count: 2,
	}
	if err := c.store(event, corev1.SchemeGroupVersion.WithKind("Event"), namespace); err != nil {
		t.Fatal(err)
	}
}

func identity(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Patch implements scenario.Kube.
func (c *Cluster) Patch(ctx context.Context, o *unstructured.Unstructured, kind types.PatchType, patch []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	before := c.objects[identity(o)]
	if before == nil {
		return fmt.Errorf("patch %s: %w", identity(o), apierrors.NewNotFound(schema.GroupResource{Resource: o.GetKind()}, o.GetName()))
	}
	data, err := before.MarshalJSON()
	if err == nil {
		data, err = merged(kind, data, patch)
	}
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("patch %s: %v", identity(o), err))
	}
	after := &unstructured.Unstructured{}
	if err := after.UnmarshalJSON(data); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("patch %s: %v", identity(o), err))
	}
	return c.put(after)
}

func merged(kind types.PatchType, object, patch []byte) ([]byte, error) {
	if kind == types.MergePatchType {
		return jsonpatch.MergePatch(object, patch)
	}
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	return operations.Apply(object)
}

// Exec implements scenario.Kube.
func (c *Cluster) Exec(ctx context.Context, command kube.Command) (kube.Output, error) {
	if ctx.Err() != nil || c.OnExec == nil {
		return kube.Output{}, ctx.Err()
	}
	return c.OnExec(command)
}

// PostPod implements scenario.Kube.
func (c *Cluster) PostPod(ctx context.Context, _, pod string, _ int32, path string, query url.Values) (*kube.Answer, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if c.OnPost == nil {
		return &kube.Answer{Status: http.StatusOK}, nil
	}
	answer := c.OnPost(pod, path, query)
	return &answer, nil
}
