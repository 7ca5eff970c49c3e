package proxy_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestRedirects(t *testing.T) {
	tests := map[string]struct {
		annotations  map[string]string
		path         string
		status       int
		wantLocation string
	}{
		"permanent": {map[string]string{"permanent-redirect": "https://new.test/"}, "/x", 301, "https://new.test/"},
		"permanent, with a code": {map[string]string{"permanent-redirect": "https://new.test/",
			"permanent-redirect-code": "308"}, "/x", 308, "https://new.test/"},
		"temporary, with variables": {map[string]string{"temporal-redirect": "https://new.test$request_uri"}, "/x?a=b", 302,
			"https://new.test/x?a=b"},
		"to the application":            {map[string]string{"app-root": "/shop"}, "/", 302, "/shop"},
		"to HTTPS, with path and query": {map[string]string{"force-ssl-redirect": "true"}, "/x?a=b", 308, "https://shop.test/x?a=b"},
		"line break stays escaped": {map[string]string{"force-ssl-redirect": "true"}, "/x%0d%0aSet-Cookie:%20a=b", 308,
			"https://shop.test/x%0d%0aSet-Cookie:%20a=b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := worldRig(t, test.annotations)
			response, body := r.ask(test.path)
			wantStatus(t, response, body, test.status)
			if got := response.Header.Get("Location"); !strings.HasSuffix(got, test.wantLocation) {
				t.Errorf("location %q, want %q", got, test.wantLocation)
			}
			if got := response.Header.Get("Cache-Control"); got != "" {
				t.Errorf("cache-control %q, want none: a redirect has no cache-control header", got)
			}
			if response.Header.Get("Set-Cookie") != "" {
				t.Error("the redirect sets a cookie")
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	r := worldRig(t, map[string]string{
		"enable-cors": "true", "cors-allow-origin": "https://a.test, https://*.b.test", "cors-max-age": "600",
		"cors-allow-methods": "GET, POST", "cors-allow-headers": "X-Token", "cors-expose-headers": "X-Total",
		"auth-type": "basic", "auth-secret": "users",
	}, secret("users", map[string]string{"auth": users}))
	response, body := r.send(http.MethodOptions, "/x", "Origin: https://x.b.test", "Access-Control-Request-Method: POST")
	if response.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("status %d, body %q; want 204 without a body, before authentication", response.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://x.b.test",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST",
		"Access-Control-Allow-Headers":     "X-Token",
		"Access-Control-Expose-Headers":    "X-Total",
		"Access-Control-Max-Age":           "600",
		"Vary":                             "Origin",
		"Content-Length":                   "",
	} {
		if got := strings.Join(response.Header[name], " | "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCORSOnResponses(t *testing.T) {
	tests := map[string]struct {
		annotations map[string]string
		origin      string
		want, vary  string
		credentials string
	}{
		"everybody": {map[string]string{}, "https://a.test", "*", "Accept", "true"},
		"no origin": {map[string]string{}, "", "*", "Accept", "true"},
		"origin in the list": {
			map[string]string{"cors-allow-origin": "https://a.test, https://b.test"}, "https://b.test", "https://b.test", "Accept | Origin", "true",
		},
		"not in the list": {map[string]string{"cors-allow-origin": "https://a.test"}, "https://evil.test", "https://pod.test",
			"Accept | Origin", ""},
		"without credentials": {
			map[string]string{"cors-allow-origin": "https://a.test",
				"cors-allow-credentials": "false"}, "https://a.test", "https://a.test", "Accept | Origin", "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.annotations["enable-cors"] = "true"
			r := worldRig(t, test.annotations)
			r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "https://pod.test")
				w.Header().Set("Vary", "Accept")
				_, _ = w.Write([]byte("secret page"))
			})
			var headers []string
			if test.origin != "" {
				headers = append(headers, "Origin: "+test.origin)
			}
			response, body := r.ask("/", headers...)
			wantStatus(t, response, body, http.StatusOK)
			for header, want := range map[string]string{
				"Access-Control-Allow-Origin": test.want, "Vary": test.vary, "Access-Control-Allow-Credentials": test.credentials,
			} {
				if got := strings.Join(response.Header[header], " | "); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}

// Scripts can read the reason of a refusal, too.
func TestRefusalHasRouteHeaders(t *testing.T) {
	r := worldRig(t, map[string]string{
		"enable-cors": "true", "denylist-source-range": "127.0.0.0/8", "custom-headers": "shop/extra",
	}, configMap("shop", "extra", map[string]string{"X-Frame-Options": "DENY"}))
	response, body := r.ask("/")
	wantStatus(t, response, body, http.StatusForbidden)
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("access-control-allow-origin %q, want *", got)
	}
	if got := response.Header.Get("X-Frame-Options"); got != "DENY" {
		t.Errorf("x-frame-options %q, want DENY", got)
	}
}
