package kubelet

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// mostImages is how many images a Node lists, as kubelets limit it: every one makes each copy of the Node longer.
const mostImages = 50

// lister is what knows all its images: from each reference to the image's ID. *container.Store is one.
type lister interface {
	Images() (map[string]string, error)
}

// nodeImages is what the node can start containers from, if its images can be listed. What fails here is no reason to be
// unwell: a container that needs an image says what is wrong with it.
func (k *Kubelet) nodeImages() []corev1.ContainerImage {
	store, ok := k.config.Images.(lister)
	if !ok {
		return nil
	}
	references, err := store.Images()
	if err != nil {
		return nil
	}
	names := map[string][]string{}
	for _, ref := range slices.Sorted(maps.Keys(references)) {
		names[references[ref]] = append(names[references[ref]], ref)
	}
	var images []corev1.ContainerImage
	for _, id := range slices.Sorted(maps.Keys(names)) {
		images = append(images, corev1.ContainerImage{Names: names[id]})
	}
	slices.SortFunc(images, func(a, b corev1.ContainerImage) int { return slices.Compare(a.Names, b.Names) })
	return images[:min(len(images), mostImages)]
}
