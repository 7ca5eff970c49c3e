package htpasswd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Users has the passwords of a set of users. It never changes, and is safe for concurrent use.
type Users struct {
	passwords map[string]password
	// decoy is compared with the password of an unknown user, so that timing does not show which
	// users exist.
	decoy password
}

// Diagnostic is an invalid entry. Its user cannot log in, but other users can.
type Diagnostic struct {
	// Where is "line 3", or "key bob" in a map. Where and Reason contain no part of a password or
	// hash.
	Where, Reason string
}

// Parse reads a file with lines "user:hash" or "user:hash:comment". It skips empty lines and lines
// that start with "#". If a user has two lines, the first one counts, as in nginx.
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
			b.report(where, "has no colon between user and hash")
			continue
		}
		hash, _, _ = strings.Cut(hash, ":")
		b.add(where, user, hash)
	}
	return b.users(), b.diagnostics
}

// ParseMap reads a map from users to hashes, as in a Secret with auth-secret-type auth-map.
func ParseMap(hashes map[string][]byte) (*Users, []Diagnostic) {
	b := builder{passwords: map[string]password{}}
	for _, user := range slices.Sorted(maps.Keys(hashes)) {
		b.add("key "+user, user, strings.TrimSpace(string(hashes[user])))
	}
	return b.users(), b.diagnostics
}

// Len returns the number of users who can log in.
func (u *Users) Len() int { return len(u.passwords) }

// Match reports whether the user has this password. A bcrypt hash takes tens of milliseconds.
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

// builder collects users and Diagnostics.
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
		b.report(where, fmt.Sprintf("user %q already exists, and the first entry counts", user))
		return
	}
	p, err := parsePassword(hash)
	if err != nil {
		b.report(where, fmt.Sprintf("user %q cannot log in: %v", user, err))
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
