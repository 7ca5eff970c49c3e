package proxy

import (
	"container/list"
	"sync"
	"time"
)

// recent remembers a bounded number of values, each for a time. What was not asked for longest goes first. It may be used by
// any number of goroutines.
type recent[K comparable, V any] struct {
	capacity int

	mu    sync.Mutex
	items map[K]*list.Element
	order list.List // of remembered[K, V], the most recently used first
}

type remembered[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
}

func newRecent[K comparable, V any](capacity int) *recent[K, V] {
	return &recent[K, V]{capacity: capacity, items: map[K]*list.Element{}}
}

// get finds a value that has not expired.
func (r *recent[K, V]) get(key K, now time.Time) (value V, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element := r.items[key]
	if element == nil {
		return value, false
	}
	item := element.Value.(*remembered[K, V])
	if !now.Before(item.expires) {
		r.remove(element)
		return value, false
	}
	r.order.MoveToFront(element)
	return item.value, true
}

// put remembers a value until the time expires.
func (r *recent[K, V]) put(key K, value V, expires time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element := r.items[key]; element != nil {
		r.remove(element)
	}
	r.items[key] = r.order.PushFront(&remembered[K, V]{key: key, value: value, expires: expires})
	for len(r.items) > r.capacity {
		r.remove(r.order.Back())
	}
}

func (r *recent[K, V]) remove(element *list.Element) {
	delete(r.items, r.order.Remove(element).(*remembered[K, V]).key)
}
