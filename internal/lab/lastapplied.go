package lab

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// withLastApplied notes in an object's annotation what the manifest says, as kubectl apply does. Students go on with kubectl apply:
// without the note it warns at every object, and does not take away what they have deleted from a file
// (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/). The lab's label is not in the note, for then it
// would be taken away.
func withLastApplied(o, manifest *unstructured.Unstructured) {
	manifest = manifest.DeepCopy()
	manifest.SetNamespace(o.GetNamespace())
	if manifest.GetAnnotations() == nil {
		manifest.SetAnnotations(map[string]string{}) // kubectl's note has them, too
	}
	text, err := manifest.MarshalJSON()
	if err != nil {
		return // what came from a manifest can be written; a note is no reason to fail
	}
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[corev1.LastAppliedConfigAnnotation] = string(text)
	o.SetAnnotations(annotations)
}
