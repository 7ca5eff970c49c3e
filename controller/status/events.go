package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/routing"
)

const (
	// component is the "From" of kubectl describe.
	component = "ingresslab"
	// maxMessage is the API's limit for the note of an Event, in bytes.
	maxMessage = 1024
	// renewAfter is when an Event for a problem that is still there is written again: the API server keeps Events for an
	// hour unless it is told otherwise (kube-apiserver --event-ttl).
	renewAfter = 45 * time.Minute
)

// eventWriter writes one Event for each problem, however often the table is built. The name of an Event is made from the
// problem, so that the next holder of the Lease does not write a second one.
type eventWriter struct {
	o       Options
	written map[routing.Problem]time.Time
}

func newEvents(o Options) *eventWriter {
	return &eventWriter{o: o, written: map[routing.Problem]time.Time{}}
}

// report writes Events for the problems that are new, and forgets those that are solved: they are new if they come back.
func (w *eventWriter) report(ctx context.Context, problems []routing.Problem) error {
	now := time.Now()
	current := make(map[routing.Problem]time.Time, len(problems))
	var failures []error
	for _, problem := range problems {
		at, known := w.written[problem]
		if !known || now.Sub(at) > renewAfter {
			if err := w.write(ctx, problem, now); err != nil {
				failures = append(failures, err)
				continue
			}
			at = now
		}
		current[problem] = at
	}
	w.written = current
	return errors.Join(failures...)
}

func (w *eventWriter) write(ctx context.Context, problem routing.Problem, now time.Time) error {
	event := w.event(problem, metav1.NewTime(now))
	api := w.o.Client.CoreV1().Events(event.Namespace)
	_, err := api.Create(ctx, event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch, _ := json.Marshal(map[string]any{"lastTimestamp": event.LastTimestamp}) // a time always has a JSON form
		_, err = api.Patch(ctx, event.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
	switch {
	case err == nil:
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return nil // its namespace goes away, and the object with it
	default:
		return fmt.Errorf("event for %s: %w", problem, err)
	}
}

func (w *eventWriter) event(problem routing.Problem, now metav1.Time) *corev1.Event {
	object := problem.Object
	namespace := object.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault // where Events about cluster-wide objects live
	}
	hash := fnv.New64a()
	_, _ = fmt.Fprint(hash, object.UID, problem.Code, problem) // a hash never fails
	message := problem.Field + ": " + problem.Reason
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%016x", object.Name, hash.Sum64())},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: apiVersions[object.Kind], Kind: object.Kind,
			Namespace: object.Namespace, Name: object.Name, UID: types.UID(object.UID),
		},
		Type:                corev1.EventTypeWarning,
		Reason:              problem.Code,
		Message:             message,
		Source:              corev1.EventSource{Component: component},
		ReportingController: component,
		ReportingInstance:   w.o.Identity,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
	}
}

// apiVersions are those of the kinds that a problem can be about.
var apiVersions = map[string]string{
	"Ingress":       "networking.k8s.io/v1",
	"IngressClass":  "networking.k8s.io/v1",
	"EndpointSlice": "discovery.k8s.io/v1",
	"Service":       "v1",
}
