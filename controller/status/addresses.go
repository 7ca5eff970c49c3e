package status

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// addressSource finds the addresses at which clients reach the controller.
type addressSource interface {
	// start watches until ctx ends. It calls changed if the addresses might have changed. stop
	// waits until the watch has ended.
	start(ctx context.Context, changed func()) error
	stop()
	// addresses returns the current addresses, sorted.
	addresses(ctx context.Context) ([]address, error)
	// last returns the latest result of addresses.
	last() []address
}

// newAddressSource returns the source for the Options.
func (r *Reporter) newAddressSource() addressSource {
	switch {
	case len(r.o.Addresses) > 0:
		return &fixedSource{list: parse(r.o.Addresses)}
	case r.o.Service.Name != "":
		return &serviceSource{o: r.o}
	default:
		return &podSource{o: r.o}
	}
}

// memory has the latest result of addresses.
type memory struct {
	mu   sync.Mutex
	list []address
}

func (m *memory) keep(list []address) []address {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = sorted(list)
	return m.list
}

func (m *memory) last() []address {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list
}

// parse turns IP addresses and host names into status addresses.
func parse(list []string) []address {
	var found []address
	for _, one := range list {
		if _, err := netip.ParseAddr(one); err == nil {
			found = append(found, address{IP: one})
		} else if one != "" {
			found = append(found, address{Hostname: one})
		}
	}
	return sorted(found)
}

// fixedSource publishes the addresses of the command line.
type fixedSource struct{ list []address }

func (s *fixedSource) start(context.Context, func()) error          { return nil }
func (s *fixedSource) stop()                                        {}
func (s *fixedSource) addresses(context.Context) ([]address, error) { return s.list, nil }
func (s *fixedSource) last() []address                              { return s.list }

// serviceSource publishes the address of the Service in front of the controller.
type serviceSource struct {
	memory
	o       Options
	factory informers.SharedInformerFactory
	lister  corelisters.ServiceLister
	synced  cache.InformerSynced
}

func (s *serviceSource) start(ctx context.Context, changed func()) error {
	s.factory = informers.NewSharedInformerFactoryWithOptions(s.o.Client, 0,
		informers.WithNamespace(s.o.Service.Namespace),
		informers.WithTweakListOptions(func(list *metav1.ListOptions) {
			list.FieldSelector = fields.OneTermEqualSelector("metadata.name", s.o.Service.Name).String()
		}))
	services := s.factory.Core().V1().Services()
	s.lister = services.Lister()
	s.synced = services.Informer().HasSynced
	if err := follow(services.Informer(), changed); err != nil {
		return fmt.Errorf("service %s: %w", s.o.Service, err)
	}
	s.factory.StartWithContext(ctx)
	return nil
}

func (s *serviceSource) stop() { s.factory.Shutdown() }

// addresses reads the external IPs and the addresses of the load balancer. For a Service without
// external addresses, it reads the cluster IPs. If the load balancer has no address yet, it returns
// none, because an address that does not respond is worse than none.
func (s *serviceSource) addresses(ctx context.Context) ([]address, error) {
	if !cache.WaitForCacheSync(ctx.Done(), s.synced) {
		return nil, fmt.Errorf("service %s: %w", s.o.Service, context.Cause(ctx))
	}
	service, err := s.lister.Services(s.o.Service.Namespace).Get(s.o.Service.Name)
	if apierrors.IsNotFound(err) {
		return s.keep(nil), nil // its creation wakes the Reporter
	}
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", s.o.Service, err)
	}
	found := parse(service.Spec.ExternalIPs)
	switch service.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		for _, one := range service.Status.LoadBalancer.Ingress {
			found = append(found, address{IP: one.IP, Hostname: one.Hostname})
		}
	case corev1.ServiceTypeExternalName:
		found = parse([]string{service.Spec.ExternalName})
	default:
		if len(found) == 0 && service.Spec.ClusterIP != corev1.ClusterIPNone {
			found = parse(service.Spec.ClusterIPs)
		}
	}
	return s.keep(found), nil
}
