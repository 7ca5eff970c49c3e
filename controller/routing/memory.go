package routing

import (
	"crypto/x509"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/htpasswd"
)

// Memory has the objects that a Build has parsed, for the next Build. Parsing a certificate takes
// 0.1 ms, and a changed endpoint must not make Build parse a thousand of them. Memory affects only
// speed, with one exception: the last valid keyPair of an invalid or deleted Secret stays in use.
type Memory struct {
	keyPairs      parses[*keyPair]
	files, maps   parses[*userList]
	authorities   parses[*x509.CertPool]
	presentations parses[*keyPair]
	patterns      patterns
}

// userList is the parsed users of a Secret, with its invalid entries.
type userList struct {
	users  *htpasswd.Users
	faults []htpasswd.Diagnostic
}

// next returns the Memory for the next Build. A nil Memory is empty.
func (m *Memory) next() *Memory {
	if m == nil {
		m = &Memory{}
	}
	return &Memory{
		keyPairs:      m.keyPairs.next(),
		files:         m.files.next(),
		maps:          m.maps.next(),
		authorities:   m.authorities.next(),
		presentations: m.presentations.next(),
		patterns:      patterns{compiled: map[string]*regexp.Regexp{}, previous: m.patterns.compiled},
	}
}

// forget drops the results of the previous Build, because each Build needs only those of the last.
func (m *Memory) forget() *Memory {
	m.keyPairs.old, m.files.old, m.maps.old, m.authorities.old, m.presentations.old, m.patterns.previous = nil, nil, nil, nil, nil, nil
	return m
}

// parses caches the results of one parser of Secrets.
type parses[T any] struct {
	old, current map[types.NamespacedName]remembered[T]
}

type remembered[T any] struct {
	// from is the parsed version of the Secret. It is nil if the Secret did not exist. Then value
	// is the last valid value.
	from    *corev1.Secret
	value   T
	missing *lack
}

func (p parses[T]) next() parses[T] {
	return parses[T]{old: p.current, current: map[types.NamespacedName]remembered[T]{}}
}

// get parses a Secret, unless the result is known.
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
