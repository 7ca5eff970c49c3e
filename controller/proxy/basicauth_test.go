package proxy_test

import (
	"net/http"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// users has alice with the password wonderland (bcrypt), and bob with builder (SHA).
var users = "alice:" + bcryptOf("wonderland") + "\nbob:" + shaOf("builder") + "\n"

func TestBasicAuth(t *testing.T) {
	tests := map[string]struct {
		headers []string
		status  int
		user    string
	}{
		"nothing":          {nil, 401, ""},
		"right":            {[]string{basic("alice", "wonderland")}, 200, "alice"},
		"right, SHA":       {[]string{basic("bob", "builder")}, 200, "bob"},
		"wrong password":   {[]string{basic("alice", "builder")}, 401, ""},
		"unknown user":     {[]string{basic("carol", "wonderland")}, 401, ""},
		"no password":      {[]string{basic("alice", "")}, 401, ""},
		"no name":          {[]string{basic("", "")}, 401, ""},
		"another scheme":   {[]string{"Authorization: Bearer YWxpY2U6d29uZGVybGFuZA=="}, 401, ""},
		"not base64":       {[]string{"Authorization: Basic !!"}, 401, ""},
		"two headers":      {[]string{basic("alice", "wonderland"), basic("root", "x")}, 401, ""},
		"CGI alias":        {[]string{"Remote_User: alice", "Remote-User: alice"}, 401, ""},
		"two, other order": {[]string{basic("root", "x"), basic("alice", "wonderland")}, 401, ""},
	}
	r := worldRig(t, map[string]string{"auth-type": "basic", "auth-secret": "users", "auth-realm": `the "shop"`},
		secret("users", map[string]string{"auth": users}))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := r.ask("/", test.headers...)
			wantStatus(t, response, body, test.status)
			want := ""
			if test.status == http.StatusUnauthorized {
				want = `Basic realm="the \"shop\""`
			}
			if got := response.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("www-authenticate %s, want %s", got, want)
			}
			if got := r.record().User; got != test.user {
				t.Errorf("user %q in the record, want %q", got, test.user)
			}
		})
	}
}

// A password of the old Secret must not be valid with the new one.
func TestChangedPasswordTakesEffectAtOnce(t *testing.T) {
	annotations := map[string]string{"auth-type": "basic", "auth-secret": "users"}
	r := worldRig(t, annotations, secret("users", map[string]string{"auth": users}))
	response, body := r.ask("/", basic("bob", "builder"))
	wantStatus(t, response, body, http.StatusOK)
	r.world(annotations, secret("users", map[string]string{"auth": "bob:" + shaOf("breaker")}))
	response, body = r.ask("/", basic("bob", "builder"))
	wantStatus(t, response, body, http.StatusUnauthorized)
	response, body = r.ask("/", basic("bob", "breaker"))
	wantStatus(t, response, body, http.StatusOK)
}

// Any error in the Secret must fail closed.
func TestInvalidSecretFailsClosed(t *testing.T) {
	tests := map[string]struct {
		annotations map[string]string
		objects     []object
	}{
		"missing":              {map[string]string{"auth-secret": "users"}, nil},
		"no annotation":        {map[string]string{}, nil},
		"without the key":      {map[string]string{"auth-secret": "users"}, []object{secret("users", map[string]string{"other": users})}},
		"empty":                {map[string]string{"auth-secret": "users"}, []object{secret("users", map[string]string{"auth": ""})}},
		"not a password file":  {map[string]string{"auth-secret": "users"}, []object{secret("users", map[string]string{"auth": "alice"})}},
		"of another namespace": {map[string]string{"auth-secret": "other/users"}, []object{secret("users", map[string]string{"auth": users})}},
		"an unknown kind": {map[string]string{"auth-secret": "users", "auth-secret-type": "magic"},
			[]object{secret("users", map[string]string{"auth": users})}},
		"with error pages": {map[string]string{"auth-secret": "users", "custom-http-errors": "401,503", "default-backend": "pages"},
			[]object{service("pages", "10.0.0.8:80")}},
		"with satisfy any":      {map[string]string{"auth-secret": "users", "satisfy": "any"}, nil},
		"with a rewritten path": {map[string]string{"auth-secret": "users", "rewrite-target": "/public"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			r.pod("10.0.0.1:80", say("secret page"))
			r.pod("10.0.0.8:80", say("error page"))
			test.annotations["auth-type"] = "basic"
			if problems := r.world(test.annotations, test.objects...); len(problems) == 0 {
				t.Error("no problem reports the blocked route")
			}
			for _, header := range []string{"X-Any: thing", basic("alice", "wonderland"), basic("", "")} {
				if response, body := r.ask("/", header); body == "secret page" {
					t.Errorf("with %q: status %d, and the endpoint's page", header, response.StatusCode)
				}
			}
		})
	}
}

func TestBasicAuthSkipsACMEChallenges(t *testing.T) {
	r := worldRig(t, map[string]string{"auth-type": "basic", "auth-secret": "users"}, secret("users", map[string]string{"auth": users}))
	response, body := r.ask("/.well-known/acme-challenge/token")
	wantStatus(t, response, body, http.StatusOK)
}
