package admission

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// checkEvery is the interval of checks. They are necessary because a user might apply the manifest
// again, with an empty caBundle.
const checkEvery = 15 * time.Second

// farewell is the time limit of the last write before this replica stops.
const farewell = 2 * time.Second

// Registrar keeps this replica's certificate in the caBundle of a ValidatingWebhookConfiguration.
type Registrar struct {
	client        kubernetes.Interface
	configuration string
	service       types.NamespacedName
	replica       string
	log           *slog.Logger
	shown         shown
	registered    atomic.Bool
}

// NewRegistrar returns a Registrar for the webhooks of a configuration that call a Service.
func NewRegistrar(client kubernetes.Interface, configuration string, service types.NamespacedName, replica string,
	log *slog.Logger) *Registrar {
	return &Registrar{client: client, configuration: configuration, service: service, replica: replica, log: log}
}

// TLS returns the configuration of the server for reviews. Before Run, it has no certificate.
func (r *Registrar) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.shown.get, NextProtos: []string{"h2", "http/1.1"}}
}

// Registered reports whether the API server trusts this replica.
func (r *Registrar) Registered() bool { return r.registered.Load() }

// Run registers a certificate, keeps it registered, renews it, and removes it when ctx ends.
func (r *Registrar) Run(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		r.check(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			r.leave()
			return
		}
	}
}

// check creates a certificate if it is due, and registers it if it is missing. The server presents
// a new certificate only after it is registered.
func (r *Registrar) check(ctx context.Context) {
	pair, now := r.shown.pair.Load(), time.Now()
	if pair == nil || now.Sub(pair.made) > renewAfter {
		var err error
		if pair, err = newKeyPair(r.service, r.replica, now); err != nil {
			r.log.Error("cannot create the certificate of the webhook", "error", err)
			return
		}
	}
	if err := r.write(ctx, pair.pem, nil); err != nil {
		r.registered.Store(false)
		if ctx.Err() == nil {
			r.log.Warn("cannot register the webhook's certificate, retrying", "configuration", r.configuration, "error", err)
		}
		return
	}
	r.shown.pair.Store(pair)
	if !r.registered.Swap(true) {
		r.log.Info("the webhook is registered", "configuration", r.configuration)
	}
}

// leave removes the certificate. If that fails, the certificate stays in the caBundle until it
// expires. It is harmless, because its key no longer exists.
func (r *Registrar) leave() {
	pair := r.shown.pair.Load()
	if pair == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := r.write(ctx, nil, pair.pem); err != nil {
		r.log.Debug("the webhook's certificate stays in the caBundle", "error", err)
	}
}

// write adds one certificate to the caBundles and removes another. Writes of replicas that start
// together can conflict, so write retries after a conflict.
func (r *Registrar) write(ctx context.Context, add, drop []byte) error {
	webhooks := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	return retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		configuration, err := webhooks.Get(ctx, r.configuration, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read validatingwebhookconfiguration %s: %w", r.configuration, err)
		}
		changed, found := false, false
		for i := range configuration.Webhooks {
			client := &configuration.Webhooks[i].ClientConfig
			if !r.callsService(client) {
				continue
			}
			found = true
			if next := bundle(client.CABundle, add, drop, time.Now()); !sameBundle(client.CABundle, next, add) {
				client.CABundle, changed = next, true
			}
		}
		if !found {
			return fmt.Errorf("validatingwebhookconfiguration %s has no webhook for service %s", r.configuration, r.service)
		}
		if !changed {
			return nil
		}
		_, err = webhooks.Update(ctx, configuration, metav1.UpdateOptions{})
		return err // unwrapped, because retry checks its type
	})
}

func (r *Registrar) callsService(client *admissionregistrationv1.WebhookClientConfig) bool {
	service := client.Service
	return service != nil && service.Namespace == r.service.Namespace && service.Name == r.service.Name
}

// sameBundle reports whether no write is needed. The position of add does not matter.
func sameBundle(old, next, add []byte) bool {
	if len(add) > 0 && !bytes.Contains(old, add) {
		return false
	}
	return len(old) == len(next)
}
