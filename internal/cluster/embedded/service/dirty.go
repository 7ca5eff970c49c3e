package service

import "sync"

// dirty collects the Services that have to be looked at again.
type dirty struct {
	// wake has something in it when there are any.
	wake chan struct{}

	mu   sync.Mutex
	keys map[key]bool
}

func newDirty() *dirty {
	return &dirty{wake: make(chan struct{}, 1), keys: map[key]bool{}}
}

func (d *dirty) add(k key) {
	if k.name == "" {
		return
	}
	d.mu.Lock()
	d.keys[k] = true
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default: // it has
	}
}

// take returns what was collected and forgets it.
func (d *dirty) take() map[key]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.keys
	d.keys = map[key]bool{}
	return taken
}
