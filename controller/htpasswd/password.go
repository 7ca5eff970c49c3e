package htpasswd

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	hashes "github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"
)

const (
	// maxCost limits the work of one login: 15 takes about two seconds of CPU time. Otherwise, a
	// user who can write a Secret could stop the controller for all users.
	maxCost = 15
	// maxRounds is the limit for the rounds of SHA-crypt, for the same reason.
	maxRounds = 1_000_000
)

// password reports whether a text matches the hash of one user.
type password func(text string) bool

// parsePassword recognizes a hash by its prefix. Errors contain no part of the hash, because Events
// show them.
func parsePassword(hash string) (password, error) {
	switch {
	case strings.HasPrefix(hash, "$2"):
		return parseBcrypt(hash)
	case strings.HasPrefix(hash, "$5$"), strings.HasPrefix(hash, "$6$"):
		return parseSHACrypt(hash)
	case strings.HasPrefix(hash, "$apr1$"), strings.HasPrefix(hash, "$1$"):
		if !md5Crypt.MatchString(hash) {
			return nil, errors.New("the MD5-crypt hash is incomplete")
		}
		return accept(hashes.AcceptMd5, hash)
	case strings.HasPrefix(hash, "{SHA}"):
		return accept(hashes.AcceptSha, hash)
	case strings.HasPrefix(hash, "{SSHA}"):
		return accept(hashes.AcceptSsha, hash)
	case strings.HasPrefix(hash, "{PLAIN}"):
		want := strings.TrimPrefix(hash, "{PLAIN}")
		return func(text string) bool { return subtle.ConstantTimeCompare([]byte(text), []byte(want)) == 1 }, nil
	case hash == "":
		return nil, errors.New("the hash is missing")
	}
	return nil, errors.New("the format of the hash is unknown; use bcrypt (htpasswd -B), APR1 (htpasswd -m), SHA-crypt, {SHA}, {SSHA}, " +
		"or {PLAIN}")
}

func parseBcrypt(hash string) (password, error) {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return nil, errors.New("the bcrypt hash is incomplete")
	}
	if cost > maxCost {
		return nil, fmt.Errorf("the bcrypt cost %d is more than %d, so a login would take too long", cost, maxCost)
	}
	return func(text string) bool { return bcrypt.CompareHashAndPassword([]byte(hash), []byte(text)) == nil }, nil
}

// These expressions match the formats in crypt(5). Other formats could make the library panic.
var (
	md5Crypt = regexp.MustCompile(`^\$(?:apr1|1)\$[^$]{1,8}\$[./0-9A-Za-z]{22}$`)
	shaCrypt = regexp.MustCompile(`^\$(?:5|6)\$(?:rounds=([1-9][0-9]{3,8})\$)?[./0-9A-Za-z]{1,16}\$(?:[./0-9A-Za-z]{43}|[./0-9A-Za-z]{86})$`)
)

func parseSHACrypt(hash string) (password, error) {
	parts := shaCrypt.FindStringSubmatch(hash)
	if parts == nil {
		return nil, errors.New("the SHA-crypt hash is incomplete")
	}
	if rounds, _ := strconv.Atoi(parts[1]); rounds > maxRounds { // no rounds: 5000
		return nil, fmt.Errorf("%d rounds are more than %d, so a login would take too long", rounds, maxRounds)
	}
	return accept(hashes.AcceptCryptSha, hash)
}

// accept calls a parser of the library and hides its error, which contains the hash.
func accept(parse hashes.PasswdParser, hash string) (password, error) {
	p, err := parse(hash)
	if err != nil || p == nil {
		return nil, errors.New("the hash is damaged")
	}
	return p.MatchesPassword, nil
}
