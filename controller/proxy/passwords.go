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
	// passwordMemory is how many passwords of each kind, right and wrong, are remembered.
	passwordMemory = 4096
	// passwordAge is how long; a changed Secret ends it at once.
	passwordAge = 10 * time.Minute
	// passwordPatience bounds the wait for a free slot to check a password.
	passwordPatience = 5 * time.Second
)

var errPasswordsBusy = errors.New("too many passwords are being checked")

// passwords checks user names and passwords at a bounded cost. A bcrypt hash takes a tenth of a second of a core: clients that
// send their password with every request, and those that try out many, must leave the core to others. So what was checked is
// remembered, and few checks run at once.
type passwords struct {
	// secret keys the digests: what is remembered cannot be compared with a list of known passwords.
	secret       [sha256.Size]byte
	right, wrong *recent[passwordKey, struct{}]
	slots        chan struct{}
}

// passwordKey is a user and password as one list of users knows them. A changed list is another one, and remembers nothing.
type passwordKey struct {
	users  routing.Users
	digest [sha256.Size]byte
}

func newPasswords() *passwords {
	p := &passwords{
		right: newRecent[passwordKey, struct{}](passwordMemory),
		wrong: newRecent[passwordKey, struct{}](passwordMemory), // apart, so that guessing does not drive out the right ones
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	_, _ = rand.Read(p.secret[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return p
}

// match reports whether the password is that of the user. The error is errPasswordsBusy, or the context's.
func (p *passwords) match(ctx context.Context, users routing.Users, user, password string) (bool, error) {
	key := passwordKey{users: users, digest: p.digest(user, password)}
	if right, known := p.remember(key); known {
		return right, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, passwordPatience, errPasswordsBusy)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if right, known := p.remember(key); known { // another request has asked the same meanwhile
		return right, nil
	}
	right := users.Match(user, password)
	memory := p.wrong
	if right {
		memory = p.right
	}
	memory.put(key, struct{}{}, time.Now().Add(passwordAge))
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

// digest tells ("ab", "c") from ("a", "bc") by the length of the name.
func (p *passwords) digest(user, password string) (d [sha256.Size]byte) {
	mac := hmac.New(sha256.New, p.secret[:])
	_ = binary.Write(mac, binary.BigEndian, uint64(len(user))) // a hash takes everything
	_, _ = mac.Write([]byte(user))
	_, _ = mac.Write([]byte(password))
	mac.Sum(d[:0])
	return d
}
