package watch

import (
	"context"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// follower watches objects of one kind by name.
type follower[T metav1.Object] struct {
	resource string // plural, for errors
	kind     runtime.Object
	client   kubernetes.Interface
	list     func(ctx context.Context, namespace string, o metav1.ListOptions) (runtime.Object, error)
	watch    func(ctx context.Context, namespace string, o metav1.ListOptions) (watch.Interface, error)
	trim     func(T) T
	raise    func()
	onError  func(resource string, err error)

	running sync.WaitGroup
	mu      sync.Mutex
	all     map[types.NamespacedName]*followed[T]
}

// want watches these objects until ctx ends, and stops watching all others.
func (f *follower[T]) want(ctx context.Context, names []types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := make(map[types.NamespacedName]*followed[T], len(names))
	for _, name := range names {
		if one := f.all[name]; one != nil {
			next[name] = one
			continue
		}
		next[name] = f.follow(ctx, name)
	}
	for name, one := range f.all {
		if next[name] == nil {
			one.stop()
		}
	}
	f.all = next
}

// unknown returns the names that are not watched.
func (f *follower[T]) unknown(names []types.NamespacedName) []types.NamespacedName {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(names), func(name types.NamespacedName) bool { return f.all[name] != nil })
}

// follow starts watching one object.
func (f *follower[T]) follow(ctx context.Context, name types.NamespacedName) *followed[T] {
	ctx, stop := context.WithCancel(ctx)
	one := &followed[T]{name: name, trim: f.trim, raise: f.raise, stop: stop}
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name.Name).String()
	source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			list, err := f.list(ctx, name.Namespace, o)
			f.failed(ctx, name, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			w, err := f.watch(ctx, name.Namespace, o)
			f.failed(ctx, name, err)
			return w, err
		},
	}, f.client)
	reflector := cache.NewReflectorWithOptions(source, f.kind, one, cache.ReflectorOptions{Name: f.resource})
	f.running.Go(func() { reflector.RunWithContext(ctx) })
	return one
}

func (f *follower[T]) failed(ctx context.Context, name types.NamespacedName, err error) {
	if err != nil && ctx.Err() == nil && f.onError != nil && !routine(err) {
		f.onError(f.resource, fmt.Errorf("%s: %w", name, err))
	}
}

// snapshot returns the objects that exist, and the names of those that are not listed yet.
func (f *follower[T]) snapshot() (there []T, loading []types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, one := range f.all {
		switch object, synced, found := one.get(); {
		case !synced:
			loading = append(loading, name)
		case found:
			there = append(there, object)
		}
	}
	return there, loading
}
