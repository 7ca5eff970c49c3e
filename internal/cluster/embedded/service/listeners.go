package service

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/relay"
)

// listeners are all that is open. One goroutine owns them.
type listeners struct {
	log    func(format string, arguments ...any)
	places map[string]*place
	nodes  []string
	open   map[frontend]*listener
	owned  map[key]map[frontend]bool
	// failing are Services that could not be served in full, and what was said about it.
	failing map[key]string
	group   sync.WaitGroup
}

func newListeners(c Config) *listeners {
	return &listeners{
		log: c.Log, places: places(c), nodes: slices.Sorted(maps.Keys(c.Nodes)),
		open: map[frontend]*listener{}, owned: map[key]map[frontend]bool{}, failing: map[key]string{},
	}
}

// run serves what the objects say until ctx ends, and returns when everything is closed.
func (l *listeners) run(ctx context.Context, o *objects, changed *dirty, ready func()) {
	defer l.group.Wait()
	l.update(ctx, o, changed.take(), changed)
	ready()
	for {
		again := time.NewTimer(retry)
		if len(l.failing) == 0 {
			again.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-changed.wake:
			settled := time.NewTimer(settle)
			select {
			case <-ctx.Done():
			case <-settled.C:
			}
			settled.Stop()
		case <-again.C:
			for k := range l.failing {
				changed.add(k)
			}
		}
		again.Stop()
		l.update(ctx, o, changed.take(), changed)
	}
}

// update looks at some Services again. All that is to be shut is shut before anything is opened, for an address may have
// gone from one to another.
func (l *listeners) update(ctx context.Context, o *objects, keys map[key]bool, changed *dirty) {
	plans := map[key]map[frontend]answer{}
	problems := map[key][]error{}
	for k := range keys {
		service := o.service(k)
		if service == nil {
			l.drop(k)
			delete(l.failing, k)
			continue
		}
		plans[k], problems[k] = plan(service, o.slicesOf(k), l.nodes)
		l.shutOthers(k, plans[k])
	}
	for k, wanted := range plans {
		for f, a := range wanted {
			if err := l.serve(ctx, k, f, a, changed); err != nil {
				problems[k] = append(problems[k], fmt.Errorf("%s: %w", f, err))
			}
		}
		l.report(k, problems[k])
	}
}

// report says what is wrong with a Service, once.
func (l *listeners) report(k key, problems []error) {
	if len(problems) == 0 {
		delete(l.failing, k)
		return
	}
	texts := make([]string, len(problems))
	for i, problem := range problems {
		texts[i] = problem.Error()
	}
	slices.Sort(texts)
	text := fmt.Sprint(texts)
	if l.failing[k] != text {
		for _, problem := range texts {
			l.log("service %s: %s", k, problem)
		}
	}
	l.failing[k] = text
}

// drop closes everything of a Service that is no more.
func (l *listeners) drop(k key) {
	for f := range l.owned[k] {
		l.close(k, f)
	}
}

// shutOthers shuts the frontends of a Service that are not wanted.
func (l *listeners) shutOthers(k key, wanted map[frontend]answer) {
	for f := range l.owned[k] {
		if _, ok := wanted[f]; ok {
			continue
		}
		opened := l.open[f]
		if opened.door == nil {
			l.close(k, f)
			continue
		}
		opened.door.shut()
	}
}

// close ends a frontend with all its connections.
func (l *listeners) close(k key, f frontend) {
	opened := l.open[f]
	opened.stop()
	<-opened.done
	delete(l.open, f)
	delete(l.owned[k], f)
	if len(l.owned[k]) == 0 {
		delete(l.owned, k)
	}
}

// serve makes a frontend be answered as it should be.
func (l *listeners) serve(ctx context.Context, k key, f frontend, a answer, changed *dirty) error {
	opened := l.open[f]
	if opened != nil && (opened.owner != k || opened.ended()) {
		if opened.owner != k && !opened.isShut() {
			return fmt.Errorf("service %s has it", opened.owner)
		}
		l.close(opened.owner, f)
		opened = nil
	}
	if opened == nil {
		opened, err := l.listen(ctx, k, f, a, changed)
		if err != nil {
			return err
		}
		l.open[f] = opened
		if l.owned[k] == nil {
			l.owned[k] = map[frontend]bool{}
		}
		l.owned[k][f] = true
		return nil
	}
	opened.backend.set(a)
	if opened.isShut() {
		inner, err := l.places[f.node].Listen(ctx, tcp, f.address.String())
		if err != nil {
			return err
		}
		opened.door.open(inner)
	}
	return nil
}

// listener is an open frontend.
type listener struct {
	owner   key
	backend *backend
	door    *door // nil for UDP
	stop    context.CancelFunc
	done    chan struct{}
}

func (l *listener) isShut() bool { return l.door != nil && l.door.isShut() }

// ended tells whether it came to an end that nobody wanted.
func (l *listener) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// listen opens a frontend.
func (l *listeners) listen(ctx context.Context, k key, f frontend, a answer, changed *dirty) (*listener, error) {
	at := l.places[f.node]
	opened := &listener{owner: k, backend: &backend{answer: a}, done: make(chan struct{})}
	var accept func(context.Context) error
	if f.protocol == corev1.ProtocolUDP {
		conn, err := at.ListenPacket(ctx, udp, f.address.String())
		if err != nil {
			return nil, err
		}
		accept = func(ctx context.Context) error { return relay.Packets(ctx, conn, opened.dialer(at, udp)) }
	} else {
		inner, err := at.Listen(ctx, tcp, f.address.String())
		if err != nil {
			return nil, err
		}
		opened.door = newDoor(inner)
		accept = func(ctx context.Context) error { return relay.Stream(ctx, opened.door, opened.dialer(at, tcp)) }
	}
	ctx, opened.stop = context.WithCancel(ctx)
	l.group.Go(func() {
		err := accept(ctx)
		close(opened.done)
		if ctx.Err() == nil {
			l.log("service %s: %s: %v", k, f, err)
			changed.add(k) // and it is opened again
		}
	})
	return opened, nil
}

func (l *listener) dialer(from *place, network string) relay.Dial {
	return func(ctx context.Context, client net.Addr) (net.Conn, error) {
		return l.backend.dial(ctx, from, network, client)
	}
}
