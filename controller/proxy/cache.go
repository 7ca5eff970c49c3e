package proxy

import (
	"container/list"
	"sync"
	"time"
)

// cache is a cache of bounded size whose values expire. It evicts the least recently used value
// first. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	capacity int

	mu    sync.Mutex
	items map[K]*list.Element
	order list.List // of remembered[K, V], the most recently used first
}

type cacheEntry[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
}

func newCache[K comparable, V any](capacity int) *cache[K, V] {
	return &cache[K, V]{capacity: capacity, items: map[K]*list.Element{}}
}

// get returns a value that has not expired.
func (r *cache[K, V]) get(key K, now time.Time) (value V, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element := r.items[key]
	if element == nil {
		return value, false
	}
	item := element.Value.(*cacheEntry[K, V])
	if !now.Before(item.expires) {
		r.remove(element)
		return value, false
	}
	r.order.MoveToFront(element)
	return item.value, true
}

// put stores a value until it expires.
func (r *cache[K, V]) put(key K, value V, expires time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element := r.items[key]; element != nil {
		r.remove(element)
	}
	r.items[key] = r.order.PushFront(&cacheEntry[K, V]{key: key, value: value, expires: expires})
	for len(r.items) > r.capacity {
		r.remove(r.order.Back())
	}
}

func (r *cache[K, V]) remove(element *list.Element) {
	delete(r.items, r.order.Remove(element).(*cacheEntry[K, V]).key)
}
