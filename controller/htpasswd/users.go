package htpasswd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Users knows the passwords of a set of users. It is never changed once it is made, and safe for concurrent use.
type Users struct {
	passwords map[string]password
	// decoy is what the password of a stranger is compared with, so that time does not tell who has an account.
	decoy password
}

// Diagnostic is one entry that cannot be used: its user cannot enter, the others can.
type Diagnostic struct {
	// Where is "line 3", or "key bob" in a map. Neither it nor Reason has any part of a password or its hash.
	Where, Reason string
}

// Parse reads a file with lines "user:hash" or "user:hash:comment". Empty lines, and those that begin with "#", are passed
// over; of two lines for a user the first one counts, as in nginx.
func Parse(file []byte) (*Users, []Diagnostic) {
	b := builder{passwords: map[string]password{}}
	number := 0
	for line := range strings.Lines(string(file)) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		where := fmt.Sprintf("line %d", number)
		user, hash, ok := strings.Cut(line, ":")
		if !ok {
			b.report(where, "has no colon between the user and the hash of the password")
			continue
		}
		hash, _, _ = strings.Cut(hash, ":")
		b.add(where, user, hash)
	}
	return b.users(), b.diagnostics
}

// ParseMap reads a map from users to hashes, as a Secret of the kind auth-map has it.
func ParseMap(hashes map[string][]byte) (*Users, []Diagnostic) {
	b := builder{passwords: map[string]password{}}
	for _, user := range slices.Sorted(maps.Keys(hashes)) {
		b.add("key "+user, user, strings.TrimSpace(string(hashes[user])))
	}
	return b.users(), b.diagnostics
}

// Len is the number of users who can enter.
func (u *Users) Len() int { return len(u.passwords) }

// Match reports whether the password is that of the user. It takes tens of milliseconds for a bcrypt hash.
func (u *Users) Match(user, password string) bool {
	p, known := u.passwords[user]
	if !known {
		if u.decoy != nil {
			u.decoy(password)
		}
		return false
	}
	return p(password)
}

// builder gathers users.
type builder struct {
	passwords   map[string]password
	order       []string
	diagnostics []Diagnostic
}

func (b *builder) add(where, user, hash string) {
	if user == "" {
		b.report(where, "has no user")
		return
	}
	if _, twice := b.passwords[user]; twice {
		b.report(where, fmt.Sprintf("user %q is there already, and the first entry counts", user))
		return
	}
	p, err := parsePassword(hash)
	if err != nil {
		b.report(where, fmt.Sprintf("user %q cannot enter: %v", user, err))
		return
	}
	b.passwords[user] = p
	b.order = append(b.order, user)
}

func (b *builder) report(where, reason string) {
	b.diagnostics = append(b.diagnostics, Diagnostic{Where: where, Reason: reason})
}

func (b *builder) users() *Users {
	u := &Users{passwords: b.passwords}
	if len(b.order) > 0 {
		u.decoy = b.passwords[b.order[0]]
	}
	return u
}
