package proxy_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

func TestLocationAndRefreshAreRewritten(t *testing.T) {
	for _, test := range []struct{ from, to, location, want string }{
		{"http://inner.test/", "https://$host/", "http://inner.test/a?b=http://inner.test/", "https://shop.test/a?b=http://inner.test/"},
		{"http://inner.test/", "https://$host/", "http://other.test/a", "http://other.test/a"},
		{"/old/", "/new/", "/old/x", "/new/x"},
		{"default", "", "http://10.0.0.1:80/x", "/x"},
		{"off", "", "http://10.0.0.1:80/x", "http://10.0.0.1:80/x"},
	} {
		t.Run(test.from, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", test.location)
				w.Header().Set("Refresh", "5; URL="+test.location)
				w.WriteHeader(http.StatusFound)
			})
			annotations := map[string]string{"proxy-redirect-from": test.from}
			if test.to != "" {
				annotations["proxy-redirect-to"] = test.to
			}
			r.route(annotations, "10.0.0.1:80")
			response, _ := r.get("/")
			if got := response.Header.Get("Location"); got != test.want {
				t.Errorf("Location %q, want %q", got, test.want)
			}
			if got := response.Header.Get("Refresh"); got != "5; URL="+test.want {
				t.Errorf("Refresh %q", got)
			}
		})
	}
}

func TestCookieDomainAndPathAreRewritten(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=Path=/inner/; Domain=.INNER.test; Path=/inner/x; HttpOnly")
		w.Header().Add("Set-Cookie", "b=domain=inner.test;path=/other;domain=not.inner.test")
	})
	r.route(map[string]string{"proxy-cookie-domain": "inner.test shop.test", "proxy-cookie-path": "/inner/ /"}, "10.0.0.1:80")
	response, _ := r.get("/")
	want := []string{
		"a=Path=/inner/; Domain=shop.test; Path=/x; HttpOnly",
		"b=domain=inner.test;path=/other;domain=not.inner.test",
	}
	if got := response.Header.Values("Set-Cookie"); !slices.Equal(got, want) {
		t.Errorf("cookies\n%q, want\n%q", got, want)
	}
}

// The client gets each part of a response as the endpoint sends it, even if the length is known.
func TestResponseWithLengthIsStreamed(t *testing.T) {
	r := newRig(t, proxy.Options{})
	release := make(chan struct{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, " last")
	})
	r.route(nil, "10.0.0.1:80")
	response, err := http.DefaultTransport.RoundTrip(r.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	close(release)
	if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != " last" {
		t.Errorf("%q, %v", rest, err)
	}
}

// 64 KB at 16 KB per second, with the first 32 KB free, take two seconds in virtual time.
func TestPaceLimitsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		sent, err := proxy.Paced(t.Context(), 16<<10, 32<<10, 64<<10)
		if took := time.Since(begin); sent != 64<<10 || err != nil || took < 1700*time.Millisecond || took > 2300*time.Millisecond {
			t.Errorf("%d bytes in %s, %v; want 64 KB in about 2 s", sent, took, err)
		}
	})
}

func TestPaceEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if sent, err := proxy.Paced(ctx, 1024, 0, 1<<20); err == nil || sent > 2048 {
			t.Errorf("%d bytes, %v; want about 1 KB and the end of the context", sent, err)
		}
	})
}

func TestLimitRate(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.pod("10.0.0.1:80", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 3<<10)) })
	r.route(map[string]string{"limit-rate": "4", "limit-rate-after": "1"}, "10.0.0.1:80")
	begin := time.Now()
	_, body := r.get("/")
	if took := time.Since(begin); len(body) != 3<<10 || took < 200*time.Millisecond {
		t.Errorf("%d bytes in %s, want 3 KB in no less than a fifth of a second", len(body), took)
	}
}
