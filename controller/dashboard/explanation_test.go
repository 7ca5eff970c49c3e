package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// busy is served with an Ingress that asks for much.
func busy() Source {
	snapshot := objects()
	snapshot.EndpointSlices = slicesOfWeb()
	annotations := snapshot.Ingresses[0].Annotations
	for name, value := range map[string]string{
		"limit-rps": "10", "enable-cors": "true", "affinity": "cookie", "upstream-vhost": "inner.test",
		"allowlist-source-range": "10.0.0.0/8", "proxy-body-size": "8m", "proxy-read-timeout": "5",
	} {
		annotations["nginx.ingress.kubernetes.io/"+name] = value
	}
	return with(snapshot)
}

func TestPolicyIsShownInShort(t *testing.T) {
	s := busy()
	var got []string
	for _, feature := range s.overview("").Hosts[0].Routes[0].Policy {
		got = append(got, feature.Name+": "+feature.Value)
	}
	want := "allow: 10.0.0.0/8 | CORS: * | limit: 10/s | rewrite: host inner.test | body: 8m | time-outs: read 5s | balance: cookie " +
		"INGRESSCOOKIE"
	if strings.Join(got, " | ") != want {
		t.Errorf("policy %s, want %s", strings.Join(got, " | "), want)
	}
	plain := served()
	if features := plain.overview("").Hosts[0].Routes[0].Policy; len(features) != 0 {
		t.Errorf("an Ingress without annotations has the policy %v", features)
	}
}

func TestFilter(t *testing.T) {
	s := busy()
	for filter, want := range map[string]int{
		"": 1, "shop.test": 1, "SHOP.test/a": 1, "shop/web": 1, "cors": 1, "limit 10": 1, "other.test": 0, "10.0.0.1": 0,
	} {
		if o := s.overview(filter); len(o.Hosts) != want {
			t.Errorf("filter %q lets %d hosts through, want %d", filter, len(o.Hosts), want)
		}
	}
	for filter, want := range map[string]int{"10.0.0.1": 1, "web-a": 1, "shop.test": 1, "10.0.0.9": 0} {
		if o := s.overview(filter); len(o.Pools) != want {
			t.Errorf("filter %q lets %d pools through, want %d", filter, len(o.Pools), want)
		}
	}
}

func TestLargeTableIsCut(t *testing.T) {
	snapshot := objects()
	rule := snapshot.Ingresses[0].Spec.Rules[0]
	for i := range maxRows + 20 {
		rule.Host = fmt.Sprintf("host-%d.test", i)
		snapshot.Ingresses[0].Spec.Rules = append(snapshot.Ingresses[0].Spec.Rules, rule)
	}
	s := with(snapshot)
	o := s.overview("")
	if len(o.Hosts) != maxRows || o.HiddenRoutes != 21 {
		t.Errorf("%d hosts are shown, %d of %d routes hidden", len(o.Hosts), o.HiddenRoutes, o.Routes)
	}
}

// ask explains a request as text.
func ask(s Source, parameters url.Values) (int, string) {
	request := httptest.NewRequest(http.MethodGet, "/api/v1/explain?"+parameters.Encode(), nil)
	request.Header.Set("Accept", "text/plain")
	recorder := httptest.NewRecorder()
	New(s).ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String()
}

func TestExplanationInWords(t *testing.T) {
	s := busy()
	_, got := ask(s, url.Values{"url": {"http://shop.test/a&b"}, "client": {"10.1.1.1"}})
	for _, want := range []string{
		"GET http://shop.test/a&b: forward to shop/web:80\n", "\n  endpoints: 10.0.0.1:8080\n", "\n  count against limits: 10/s\n",
		"\n  send host: inner.test\n", "\n  choose endpoint: round robin, and set a cookie\n",
		"\n  ✓ shop.test, Exact /a&b -> shop/web:80 (Ingress shop/web, spec.rules[0].http.paths[0])\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if _, got = ask(s, url.Values{"url": {"http://shop.test/a&b"}, "client": {"192.0.2.1"}}); !strings.Contains(got, "refuse with 403") {
		t.Errorf("a client that the allowlist lacks:\n%s", got)
	}
	if _, got = ask(s, url.Values{"url": {"http://shop.test/a&b"}, "method": {"options"},
		"header": {"Origin: http://a.test"}}); !strings.Contains(got, "OPTIONS") {
		t.Errorf("method and header do not arrive:\n%s", got)
	}
}

func TestExplainRejectsInvalidFields(t *testing.T) {
	for _, test := range []struct{ parameter, value, want string }{
		{"method", "GE T", "method:"}, {"header", "no colon", "header:"}, {"header", "X: a\x00b", "header:"},
		{"client", "me", "client:"}, {"random", "1", "random:"}, {"draw", "NaN", "random:"},
	} {
		code, got := ask(served(), url.Values{"url": {"http://shop.test/"}, test.parameter: {test.value}})
		if code != http.StatusBadRequest || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s=%q: %d %s", test.parameter, test.value, code, got)
		}
	}
}
