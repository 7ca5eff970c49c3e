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
	// reasonSolved is the Reason of an Event that says that a problem is no more.
	reasonSolved = "ProblemSolved"
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

// report writes Events for the problems that are new, and for those that are solved if their object is still there: it may take
// an hour for the API server to forget the warning, and until then people wonder. Solved ones are new if they come back.
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
			continue // it only reads differently now, or there is nobody to tell
		}
		if err := w.write(ctx, w.solved(problem, metav1.NewTime(now))); err != nil {
			failures = append(failures, err)
			current[problem] = at // to be told the next time
		}
	}
	w.written = current
	return errors.Join(failures...)
}

// placeOf is a problem without the text, which may have figures in it that change.
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
		return nil // its namespace goes away, and the object with it
	default:
		return fmt.Errorf("event %s for %s %s/%s: %w", event.Reason, event.InvolvedObject.Kind, event.InvolvedObject.Namespace, event.InvolvedObject.Name, err)
	}
}

func (w *eventWriter) event(problem routing.Problem, now metav1.Time) *corev1.Event {
	object := problem.Object
	namespace := object.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault // where Events about cluster-wide objects live
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

// solved is the Event for a problem that is no more.
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

// apiVersions are those of the kinds that a problem can be about.
var apiVersions = map[string]string{
	"Ingress":       "networking.k8s.io/v1",
	"IngressClass":  "networking.k8s.io/v1",
	"EndpointSlice": "discovery.k8s.io/v1",
	"Service":       "v1",
	"Secret":        "v1",
	"ConfigMap":     "v1",
}
