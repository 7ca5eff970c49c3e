package routing

import (
	"crypto/x509"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/htpasswd"
)

// memory is what Secrets were parsed into, kept by the Table for the next Build. Parsing a certificate takes a tenth of a
// millisecond and a change of one endpoint must not cost a thousand of those. It is about speed alone, except for the last
// good keyPair of a Secret that broke.
type memory struct {
	keyPairs      parses[*keyPair]
	files, maps   parses[*userList]
	authorities   parses[*x509.CertPool]
	presentations parses[*keyPair]
}

// userList is a file of users, and what is wrong in it.
type userList struct {
	users  *htpasswd.Users
	faults []htpasswd.Fault
}

// newMemory remembers what the table before knew.
func newMemory(previous *Table) *memory {
	old := &memory{}
	if previous != nil && previous.memory != nil {
		old = previous.memory
	}
	return &memory{
		keyPairs:      old.keyPairs.next(),
		files:         old.files.next(),
		maps:          old.maps.next(),
		authorities:   old.authorities.next(),
		presentations: old.presentations.next(),
	}
}

// forget lets go of the table before the last: a memory reaches back by one Build only.
func (m *memory) forget() *memory {
	m.keyPairs.old, m.files.old, m.maps.old, m.authorities.old, m.presentations.old = nil, nil, nil, nil, nil
	return m
}

// parses are the results of one way to parse a Secret.
type parses[T any] struct {
	old, current map[types.NamespacedName]remembered[T]
}

type remembered[T any] struct {
	// from is the version of the Secret that was parsed; nil: there was none, and value is the last good one.
	from    *corev1.Secret
	value   T
	missing *lack
}

func (p parses[T]) next() parses[T] {
	return parses[T]{old: p.current, current: map[types.NamespacedName]remembered[T]{}}
}

// get parses a Secret, unless that was done already.
func (p parses[T]) get(secret *corev1.Secret, parse func(*corev1.Secret) (T, *lack)) (T, *lack) {
	name := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
	for _, known := range []map[types.NamespacedName]remembered[T]{p.current, p.old} {
		if r, ok := known[name]; ok && r.from != nil && same(r.from, secret) {
			p.current[name] = r
			return r.value, r.missing
		}
	}
	value, missing := parse(secret)
	p.current[name] = remembered[T]{from: secret, value: value, missing: missing}
	return value, missing
}
