package watch

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// followed is the store of a reflector for one object, which might not exist.
type followed[T metav1.Object] struct {
	name  types.NamespacedName
	trim  func(T) T
	raise func()
	stop  context.CancelFunc

	mu     sync.Mutex
	object T
	// found is set if the object exists. synced is set if the first list is complete.
	found, synced bool
}

func (o *followed[T]) get() (object T, synced, found bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.object, o.synced, o.found
}

// Add implements cache.ReflectorStore, like the methods below. A server without field selectors,
// such as a fake one, also sends objects with other names.
func (o *followed[T]) Add(object any) error {
	if one, ok := o.own(object); ok {
		o.mu.Lock()
		o.object, o.found = o.trim(one), true
		o.mu.Unlock()
		o.raise()
	}
	return nil
}

// Update is the same as Add.
func (o *followed[T]) Update(object any) error { return o.Add(object) }

// Delete removes the object.
func (o *followed[T]) Delete(object any) error {
	if _, ok := o.own(object); ok {
		var none T
		o.mu.Lock()
		o.object, o.found = none, false
		o.mu.Unlock()
		o.raise()
	}
	return nil
}

// Replace stores the result of a list. After that, found is reliable.
func (o *followed[T]) Replace(objects []any, _ string) error {
	var object T
	found := false
	for _, candidate := range objects {
		if one, ok := o.own(candidate); ok {
			object, found = o.trim(one), true
		}
	}
	o.mu.Lock()
	o.object, o.found, o.synced = object, found, true
	o.mu.Unlock()
	o.raise()
	return nil
}

// Resync does nothing.
func (o *followed[T]) Resync() error { return nil }

func (o *followed[T]) own(object any) (T, bool) {
	one, ok := object.(T)
	return one, ok && one.GetName() == o.name.Name
}
