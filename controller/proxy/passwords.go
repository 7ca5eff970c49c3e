package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"time"

	"github.com/ingresslab/ingresslab/controller/routing"
)

const (
	// passwordCacheSize is the size of each cache, of correct and of wrong passwords.
	passwordCacheSize = 4096
	// passwordCacheTTL bounds the age of a cached result; a changed Secret invalidates it at once.
	passwordCacheTTL = 10 * time.Minute
	// passwordTimeout bounds the wait for a free slot.
	passwordTimeout = 5 * time.Second
)

var errPasswordsBusy = errors.New("too many passwords are being checked")

// passwords checks user names and passwords at a bounded cost. A bcrypt hash takes a tenth of a
// second of a core. Clients that send a password with each request, or guess many passwords, must
// not block other requests. So results are cached, and few checks run in parallel.
type passwords struct {
	// secret is the HMAC key of the digests: cached digests can't be compared with a list of known
	// passwords.
	secret       [sha256.Size]byte
	right, wrong *cache[passwordKey, struct{}]
	slots        chan struct{}
}

// passwordKey identifies a user and password in one list of users. A changed list has new keys.
type passwordKey struct {
	users  routing.Users
	digest [sha256.Size]byte
}

func newPasswords() *passwords {
	p := &passwords{
		right: newCache[passwordKey, struct{}](passwordCacheSize),
		wrong: newCache[passwordKey, struct{}](passwordCacheSize), // a separate cache, so that guesses don't evict correct passwords
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	_, _ = rand.Read(p.secret[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return p
}

// match reports whether the password belongs to the user. The error is errPasswordsBusy, or the
// error of ctx.
func (p *passwords) match(ctx context.Context, users routing.Users, user, password string) (bool, error) {
	key := passwordKey{users: users, digest: p.digest(user, password)}
	if right, known := p.remember(key); known {
		return right, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, passwordTimeout, errPasswordsBusy)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if right, known := p.remember(key); known { // another request has checked the same password meanwhile
		return right, nil
	}
	right := users.Match(user, password)
	memory := p.wrong
	if right {
		memory = p.right
	}
	memory.put(key, struct{}{}, time.Now().Add(passwordCacheTTL))
	return right, nil
}

func (p *passwords) remember(key passwordKey) (right, known bool) {
	now := time.Now()
	if _, right = p.right.get(key, now); right {
		return true, true
	}
	_, known = p.wrong.get(key, now)
	return false, known
}

// digest includes the length of the name, to distinguish ("ab", "c") from ("a", "bc").
func (p *passwords) digest(user, password string) (d [sha256.Size]byte) {
	mac := hmac.New(sha256.New, p.secret[:])
	_ = binary.Write(mac, binary.BigEndian, uint64(len(user))) // a hash returns no errors
	_, _ = mac.Write([]byte(user))
	_, _ = mac.Write([]byte(password))
	mac.Sum(d[:0])
	return d
}
