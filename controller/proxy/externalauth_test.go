package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

const authService = "auth.test:80"

// authRig is a worldRig with auth-url. Its service responds with the status and headers, each as
// "Name: value", and sends its requests on the channel.
func authRig(t *testing.T, annotations map[string]string, status int, headers ...string) (*rig, <-chan *http.Request) {
	t.Helper()
	all := map[string]string{"auth-url": "http://auth.test/check"}
	for name, value := range annotations {
		all[name] = value
	}
	r := worldRig(t, all)
	asked := make(chan *http.Request, 100)
	r.pod(authService, func(w http.ResponseWriter, q *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Add(name, value)
		}
		asked <- q
		w.WriteHeader(status)
	})
	return r, asked
}

func TestExternalAuthStatuses(t *testing.T) {
	for service, want := range map[int]int{
		200: 200, 202: 200, 204: 200, 299: 200,
		401: 401, 403: 403,
		// All other statuses fail closed. A redirect isn't followed: it might end at a page with
		// status 200.
		301: 500, 302: 500, 304: 500, 400: 500, 404: 500, 500: 500, 503: 500,
	} {
		t.Run(fmt.Sprint(service), func(t *testing.T) {
			r, _ := authRig(t, nil, service, "Location: http://auth.test/else", `WWW-Authenticate: Bearer realm="x"`)
			response, body := r.ask("/")
			wantStatus(t, response, body, want)
			challenge := ""
			if service == http.StatusUnauthorized {
				challenge = `Bearer realm="x"`
			}
			if got := response.Header.Get("WWW-Authenticate"); got != challenge {
				t.Errorf("www-authenticate %q, want %q", got, challenge)
			}
		})
	}
}

// Another server can get the service's address for a moment. It must not get requests forever only
// because its connection is never idle.
func TestExternalAuthClosesConnectionOfOtherServer(t *testing.T) {
	r := worldRig(t, map[string]string{"auth-url": "http://auth.test/check"})
	var stranger atomic.Value
	r.pod(authService, func(w http.ResponseWriter, q *http.Request) {
		if stranger.CompareAndSwap(nil, q.RemoteAddr) || stranger.Load() == q.RemoteAddr {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	response, body := r.ask("/")
	wantStatus(t, response, body, http.StatusInternalServerError)
	response, body = r.ask("/")
	wantStatus(t, response, body, http.StatusOK)
}

func TestExternalAuthFailsClosed(t *testing.T) {
	r := worldRig(t, map[string]string{"auth-url": "http://auth.test/check"})
	response, body := r.ask("/") // connection refused
	wantStatus(t, response, body, http.StatusInternalServerError)
	if got := r.record().Reason; !strings.HasPrefix(got, "auth service: ") {
		t.Errorf("reason %q does not name the auth service", got)
	}

	r.podAt(authService, breaks(t, new(atomic.Int64))) // it closes the connection
	response, body = r.ask("/")
	wantStatus(t, response, body, http.StatusInternalServerError)

	r.world(map[string]string{"auth-url": "no url"})
	response, body = r.ask("/")
	wantStatus(t, response, body, http.StatusServiceUnavailable)
}

func TestExternalAuthRequest(t *testing.T) {
	r, asked := authRig(t, nil, http.StatusOK)
	if problems := r.world(map[string]string{"auth-url": "http://auth.test/check?for=$host", "auth-proxy-set-headers": "shop/more"},
		configMap("shop", "more", map[string]string{"X-Tenant": "shop", "X-For": "$request_method"})); len(problems) > 0 {
		t.Fatal(problems)
	}
	request := r.request(http.MethodPost, "/buy?a=b", strings.NewReader("a body"))
	for name, value := range map[string]string{
		"Cookie": "session=1", "Authorization": "Bearer x", "X-Original-Url": "http://evil.test/", "X-Original-Method": "GET",
		"X-Real-Ip": "192.0.2.9", "X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https", "X-Sent-From": "me",
		"X-Auth-Request-Redirect": "https://evil.test/", "If-None-Match": "x", "Range": "bytes=0-1", "X-Hop": "1", "Connection": "X-Hop",
	} {
		request.Header.Set(name, value)
	}
	response, body := r.do(request)
	wantStatus(t, response, body, http.StatusOK)
	q := <-asked
	if q.Method != http.MethodGet || q.Host != "auth.test" || q.RequestURI != "/check?for=shop.test" || q.ContentLength != 0 {
		t.Errorf("auth request %s %s of %s with %d bytes", q.Method, q.RequestURI, q.Host, q.ContentLength)
	}
	for name, want := range map[string]string{
		"X-Original-Url": "http://shop.test/buy?a=b", "X-Original-Method": "POST", "X-Sent-From": "nginx-ingress-controller",
		"X-Auth-Request-Redirect": "/buy?a=b", "X-Real-Ip": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "",
		"Cookie": "session=1", "Authorization": "Bearer x", "X-Tenant": "shop", "X-For": "POST",
		"If-None-Match": "", "Range": "", "X-Hop": "", "Content-Length": "",
	} {
		if got := strings.Join(q.Header[name], " | "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got, want := q.Header.Get("X-Request-Id"), r.record().RequestID; got != want {
		t.Errorf("x-request-id %q, want %q", got, want)
	}
}

func TestSignIn(t *testing.T) {
	const back = "http://shop.test%2Fbuy%3Fa%3Db"
	tests := map[string]struct{ signIn, param, want string }{
		"plain":            {"https://auth.test/start", "", "https://auth.test/start?rd=" + back},
		"with a query":     {"https://auth.test/start?x=y", "", "https://auth.test/start?x=y&rd=" + back},
		"with the param":   {"https://auth.test/start?rd=$escaped_request_uri", "", "https://auth.test/start?rd=%2Fbuy%3Fa%3Db"},
		"other param":      {"https://auth.test/start", "next", "https://auth.test/start?next=" + back},
		"with a variable":  {"https://$host/start", "", "https://shop.test/start?rd=" + back},
		"a path":           {"/oauth2/start?rd=$escaped_request_uri", "", "http://shop.test/oauth2/start?rd=%2Fbuy%3Fa%3Db"},
		"a plain path":     {"/login", "", "http://shop.test/login?rd=" + back},
		"two slashes":      {"/$http_x_slash/evil.test", "", "http://shop.test//evil.test?rd=" + back},
		"with a raw value": {"https://auth.test/$http_x_page", "", "https://auth.test/a%20%C3%A4?rd=" + back},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			annotations := map[string]string{"auth-signin": test.signIn}
			if test.param != "" {
				annotations["auth-signin-redirect-param"] = test.param
			}
			r, _ := authRig(t, annotations, http.StatusUnauthorized, "Set-Cookie: state=1")
			response, body := r.ask("/buy?a=b", "X-Page: a ä")
			wantStatus(t, response, body, http.StatusFound)
			if got := response.Header.Get("Location"); got != test.want {
				t.Errorf("location %q, want %q", got, test.want)
			}
			if got := response.Header.Get("Set-Cookie"); got != "state=1" {
				t.Errorf("set-cookie %q, want the service's", got)
			}
			if got := response.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("cache-control %q, want no-store", got)
			}
		})
	}
}

// Header fields that the endpoint trusts must come from the auth service, and not from a header, an
// alias or a trailer of the client.
func TestAuthResponseHeadersCannotBeForged(t *testing.T) {
	tests := map[string]struct {
		service []string
		want    string
	}{
		"service sets field":    {[]string{"X-User: alice"}, "alice"},
		"service sets no field": {nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, _ := authRig(t, map[string]string{"auth-response-headers": "X-User, X-Groups"}, http.StatusOK, test.service...)
			got := make(chan http.Header, 1)
			r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) {
				_, _ = io.Copy(io.Discard, q.Body) // the trailer follows the body
				h := q.Header.Clone()
				for name, values := range q.Trailer {
					h["Trailer-"+name] = values
				}
				got <- h
			})
			r.raw("POST / HTTP/1.1\r\nHost: shop.test\r\nConnection: close, X-User\r\nX-User: root\r\nx-user: root\r\nX_User: root\r\n" +
				"X-Groups: admin\r\nTransfer-Encoding: chunked\r\nTrailer: X-User, X-Groups, X-Fine\r\n\r\n" +
				"1\r\na\r\n0\r\nX-User: root\r\nX-Groups: admin\r\nX-Fine: yes\r\n\r\n")
			h := <-got
			for _, name := range []string{"X-Groups", "X_user", "X_User", "Trailer-X-User", "Trailer-X-Groups"} {
				if len(h[name]) > 0 {
					t.Errorf("%s: %q reached the endpoint", name, h[name])
				}
			}
			if user := strings.Join(h["X-User"], " | "); user != test.want {
				t.Errorf("x-user %q, want %q", user, test.want)
			}
			if fine := strings.Join(h["Trailer-X-Fine"], ""); fine != "yes" {
				t.Errorf("trailer x-fine %q, want yes", fine)
			}
		})
	}
}

func TestAuthHeadersCannotBeForgedWithoutAuth(t *testing.T) {
	r, _ := authRig(t, map[string]string{"auth-response-headers": "X-User"}, http.StatusOK)
	got := make(chan string, 1)
	r.pod("10.0.0.1:80", func(_ http.ResponseWriter, q *http.Request) { got <- q.Header.Get("X-User") })
	r.ask("/.well-known/acme-challenge/token", "X-User: root")
	if user := <-got; user != "" {
		t.Errorf("x-user %q reached the endpoint", user)
	}
}

func TestAuthCookies(t *testing.T) {
	tests := map[string]struct {
		always   string
		endpoint int
		want     string
	}{
		"on success":                            {"false", 200, "own=1 | session=2"},
		"on a redirect":                         {"false", 302, "own=1 | session=2"},
		"not on errors":                         {"false", 404, "own=1"},
		"on errors with auth-always-set-cookie": {"true", 404, "own=1 | session=2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, _ := authRig(t, map[string]string{"auth-always-set-cookie": test.always}, http.StatusOK, "Set-Cookie: session=2")
			r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Set-Cookie", "own=1")
				w.WriteHeader(test.endpoint)
			})
			response, _ := r.ask("/")
			if got := strings.Join(response.Header["Set-Cookie"], " | "); got != test.want {
				t.Errorf("cookies %q, want %q", got, test.want)
			}
		})
	}
}

func TestAuthCache(t *testing.T) {
	keyed := map[string]string{"auth-cache-key": "$http_x_key"}
	tests := map[string]struct {
		annotations map[string]string
		status      int
		headers     []string
		asked       int // of two requests with the key a and one with b
	}{
		"cached by key":           {keyed, 200, nil, 2},
		"no key":                  {nil, 200, nil, 3},
		"refusals too":            {keyed, 401, nil, 2},
		"duration per status":     {map[string]string{"auth-cache-key": "$http_x_key", "auth-cache-duration": "200 1m"}, 401, nil, 3},
		"response with a cookie":  {keyed, 200, []string{"Set-Cookie: a=b"}, 3},
		"no-store":                {keyed, 200, []string{"Cache-Control: max-age=60, No-Store"}, 3},
		"Vary":                    {keyed, 200, []string{"Vary: Cookie"}, 3},
		"failures are not cached": {keyed, 500, nil, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, asked := authRig(t, test.annotations, test.status, test.headers...)
			var statuses []int
			for _, key := range []string{"a", "a", "b"} {
				response, _ := r.ask("/", "X-Key: "+key)
				statuses = append(statuses, response.StatusCode)
			}
			if len(asked) != test.asked {
				t.Errorf("the service got %d requests, want %d", len(asked), test.asked)
			}
			if statuses[0] != statuses[1] || statuses[0] != statuses[2] {
				t.Errorf("statuses %v, want the same three times", statuses)
			}
		})
	}
}

func TestAuthCacheSeparatesRequests(t *testing.T) {
	r, asked := authRig(t, map[string]string{"auth-url": "http://auth.test/check$uri", "auth-cache-key": "$http_x_key"}, http.StatusOK)
	r.ask("/a", "X-Key: 1")
	r.ask("/b", "X-Key: 1")                   // another auth request
	r.send(http.MethodPost, "/a", "X-Key: 1") // another method
	if len(asked) != 3 {
		t.Errorf("the service got %d requests, want 3", len(asked))
	}
}

func TestSatisfy(t *testing.T) {
	tests := map[string]struct {
		satisfy  string
		password string
		service  int
		want     int
	}{
		"any: both":               {"any", "builder", 200, 200},
		"any: the password":       {"any", "builder", 403, 200},
		"any: the service":        {"any", "wrong", 200, 200},
		"any: neither":            {"any", "wrong", 403, 401},
		"any: the service fails":  {"any", "wrong", 500, 500},
		"any: it fails, but pass": {"any", "builder", 500, 200},
		"all: both":               {"all", "builder", 200, 200},
		"all: only the password":  {"all", "builder", 403, 403},
		"all: only the service":   {"all", "wrong", 200, 401},
		"all: neither":            {"all", "wrong", 403, 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, _ := authRig(t, nil, test.service)
			if problems := r.world(map[string]string{
				"satisfy": test.satisfy, "auth-url": "http://auth.test/", "auth-type": "basic", "auth-secret": "users",
			}, secret("users", map[string]string{"auth": users})); len(problems) > 0 {
				t.Fatal(problems)
			}
			response, body := r.ask("/", basic("bob", test.password))
			wantStatus(t, response, body, test.want)
		})
	}
}

// A user who can create an Ingress must not reach addresses that only the controller can reach.
func TestAuthServiceCannotBeControllerHost(t *testing.T) {
	asked := make(chan string, 10)
	own := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { asked <- q.Host }))
	defer own.Close()
	_, port, _ := strings.Cut(own.Listener.Addr().String(), ":")
	for _, name := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		server := proxy.New(proxy.Options{}) // with its own dialer
		s := snapshot(map[string]string{"auth-url": "http://" + name + ":" + port + "/"}, []string{"10.0.0.1:80"})
		table, _ := routing.Build(s, routing.Options{IngressClass: "lab"}, nil)
		server.Swap(table)
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.test/", nil))
		if recorder.Code != http.StatusInternalServerError && recorder.Code != http.StatusServiceUnavailable {
			t.Errorf("auth service at %s: status %d, want 500", name, recorder.Code)
		}
	}
	if len(asked) > 0 {
		t.Errorf("the controller's own host got a request to %s", <-asked)
	}
}
