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
	// component is shown as "From" in kubectl describe.
	component = "ingresslab"
	// reasonSolved is the Reason of an Event about a solved Problem.
	reasonSolved = "ProblemSolved"
	// maxMessage is the API's size limit for the note of an Event, in bytes.
	maxMessage = 1024
	// renewAfter is the age at which the Event of an unsolved Problem is written again. By default,
	// the API server keeps Events for an hour (kube-apiserver --event-ttl).
	renewAfter = 45 * time.Minute
)

// eventWriter writes one Event for each Problem, however often a table is built. The name of an
// Event is derived from the Problem, so that the next holder of the Lease does not write the same
// Event again.
type eventWriter struct {
	o       Options
	written map[routing.Problem]time.Time
}

func newEvents(o Options) *eventWriter {
	return &eventWriter{o: o, written: map[routing.Problem]time.Time{}}
}

// report writes Events for new Problems, and for solved ones if their object still exists. Without
// the second kind, users would see only the old warning for up to an hour. A solved Problem that
// returns counts as new.
func (w *eventWriter) report(ctx context.Context, problems []routing.Problem, there func(routing.ObjectRef) bool) error {
	now := time.Now()
	current := make(map[routing.Problem]time.Time, len(problems))
	places := make(map[routing.Problem]bool, len(problems))
	var failures []error
	for _, problem := range problems {
		places[placeOf(problem)] = true
		at, known := w.written[problem]
		if !known || now.Sub(at) > renewAfter {
			if err := w.write(ctx, w.event(problem, metav1.NewTime(now))); err != nil {
				failures = append(failures, err)
				continue
			}
			at = now
		}
		current[problem] = at
	}
	for problem, at := range w.written {
		if places[placeOf(problem)] || !there(problem.Object) {
			continue // only its text changed, or its object has no Events
		}
		if err := w.write(ctx, w.solved(problem, metav1.NewTime(now))); err != nil {
			failures = append(failures, err)
			current[problem] = at // retry next time
		}
	}
	w.written = current
	return errors.Join(failures...)
}

// placeOf returns a Problem without its text, which can contain changing numbers.
func placeOf(p routing.Problem) routing.Problem {
	p.Reason = routing.Reason{}
	return p
}

func (w *eventWriter) write(ctx context.Context, event *corev1.Event) error {
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
		return nil // the namespace and the object are being deleted
	default:
		return fmt.Errorf("event %s for %s %s/%s: %w", event.Reason, event.InvolvedObject.Kind, event.InvolvedObject.Namespace,
			event.InvolvedObject.Name, err)
	}
}

func (w *eventWriter) event(problem routing.Problem, now metav1.Time) *corev1.Event {
	object := problem.Object
	namespace := object.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault // the namespace for Events about cluster-scoped objects
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: eventName(problem, "")},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: apiVersions[object.Kind], Kind: object.Kind,
			Namespace: object.Namespace, Name: object.Name, UID: types.UID(object.UID),
		},
		Type:                corev1.EventTypeWarning,
		Reason:              problem.Code,
		Message:             cut(problem.Field + ": " + problem.Reason.String()),
		Source:              corev1.EventSource{Component: component},
		ReportingController: component,
		ReportingInstance:   w.o.Identity,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
	}
}

// solved returns the Event for a solved Problem.
func (w *eventWriter) solved(problem routing.Problem, now metav1.Time) *corev1.Event {
	event := w.event(problem, now)
	event.Name = eventName(problem, "solved")
	event.Type, event.Reason = corev1.EventTypeNormal, reasonSolved
	event.Message = cut("solved: " + problem.Code + ": " + event.Message)
	return event
}

func eventName(problem routing.Problem, suffix string) string {
	hash := fnv.New64a()
	_, _ = fmt.Fprint(hash, problem.Object.UID, problem.Code, problem, suffix) // a hash never fails
	return fmt.Sprintf("%s.%016x", problem.Object.Name, hash.Sum64())
}

func cut(message string) string {
	if len(message) > maxMessage {
		return strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	return message
}

// apiVersions has the API version of each kind that can have a Problem.
var apiVersions = map[string]string{
	"Ingress":       "networking.k8s.io/v1",
	"IngressClass":  "networking.k8s.io/v1",
	"EndpointSlice": "discovery.k8s.io/v1",
	"Service":       "v1",
	"Secret":        "v1",
	"ConfigMap":     "v1",
}
