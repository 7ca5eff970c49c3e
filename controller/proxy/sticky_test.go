package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// session is a client that keeps its cookies.
type session struct {
	*rig
	cookie *http.Cookie
}

// ask sends a request, and returns the pod that answered and the Set-Cookie field of the response.
func (s *session) ask(header ...string) (pod, set string) {
	s.t.Helper()
	request := s.request(http.MethodGet, "/", nil)
	if s.cookie != nil {
		request.AddCookie(s.cookie)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, body := s.do(request)
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("status %d", response.StatusCode)
	}
	if cookies := response.Cookies(); len(cookies) > 0 {
		s.cookie = cookies[0]
	}
	return body, response.Header.Get("Set-Cookie")
}

func (r *rig) threePods() (addresses []string) {
	for i := 1; i <= 3; i++ {
		address := fmt.Sprintf("10.0.0.%d:80", i)
		r.pod(address, say(address))
		addresses = append(addresses, address)
	}
	return addresses
}

// lose makes a pod refuse connections, like a crashed one.
func (r *rig) lose(address string) {
	r.mu.Lock()
	delete(r.pods, address)
	r.mu.Unlock()
	r.server.CloseIdle()
}

func without(addresses []string, gone string) (left []string) {
	for _, a := range addresses {
		if a != gone {
			left = append(left, a)
		}
	}
	return left
}

func TestSessionStaysWithPod(t *testing.T) {
	r := newRig(t, proxy.Options{})
	pods := r.threePods()
	sticky := map[string]string{"affinity": "cookie", "session-cookie-name": "route", "session-cookie-max-age": "3600"}
	r.route(sticky, pods...)
	met := map[string]bool{}
	for range 6 {
		client := &session{rig: r}
		own, set := client.ask()
		if want := "route=" + client.cookie.Value + "; Path=/; Max-Age=3600; HttpOnly"; set != want || strings.Contains(set, "10.0.0.") {
			t.Fatalf("Set-Cookie %q, want %q", set, want)
		}
		for range 4 {
			if pod, set := client.ask(); pod != own || set != "" {
				t.Errorf("went from %s to %s, Set-Cookie %q", own, pod, set)
			}
		}
		met[own] = true
	}
	if len(met) != 3 {
		t.Errorf("new clients were served only by %v", met)
	}
	r.pod("10.0.0.4:80", say("10.0.0.4:80"))
	client := &session{rig: r}
	own, _ := client.ask()
	r.route(sticky, append(pods, "10.0.0.4:80")...)
	if pod, set := client.ask(); pod != own || set != "" {
		t.Errorf("after a new pod, the client went from %s to %s, Set-Cookie %q", own, pod, set)
	}
}

func TestCookieOfUnknownPodIsReplaced(t *testing.T) {
	r := newRig(t, proxy.Options{})
	pods := r.threePods()
	r.route(map[string]string{"affinity": "cookie"}, pods...)
	client := &session{rig: r, cookie: &http.Cookie{Name: "INGRESSCOOKIE", Value: "10.0.0.1:80"}}
	own, set := client.ask()
	if set == "" {
		t.Fatal("a forged cookie was kept")
	}
	r.route(map[string]string{"affinity": "cookie"}, without(pods, own)...)
	next, set := client.ask()
	if next == own || set == "" {
		t.Errorf("after the pod was deleted: went to %s, Set-Cookie %q", next, set)
	}
	if again, set := client.ask(); again != next || set != "" {
		t.Errorf("went from %s to %s, Set-Cookie %q", next, again, set)
	}
}

// A pod that doesn't respond still exists, and its session can be intact.
func TestSessionOfFailingPod(t *testing.T) {
	for _, c := range []struct {
		mode, change string
		comes        string // what happens to the cookie
	}{
		{"balanced", "false", "kept"}, {"persistent", "false", "kept"}, {"balanced", "true", "changed"}, {"persistent", "true", "changed"},
	} {
		t.Run(c.mode+" change "+c.change, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			pods := r.threePods()
			r.route(map[string]string{"affinity": "cookie", "affinity-mode": c.mode, "session-cookie-change-on-failure": c.change}, pods...)
			client := &session{rig: r}
			own, _ := client.ask()
			r.lose(own)
			other, set := client.ask()
			if other == own || (set != "") != (c.comes == "changed") {
				t.Fatalf("response of %s, Set-Cookie %q", other, set)
			}
			r.pod(own, say(own))
			back, set := client.ask()
			if set != "" {
				t.Errorf("Set-Cookie %q", set)
			}
			switch {
			case c.comes == "changed" && back != other:
				t.Errorf("then went to %s, the new pod is %s", back, other)
			case c.comes == "kept" && c.mode == "persistent" && back != own:
				t.Errorf("the pod recovered, but the client went to %s", back)
			case c.comes == "kept" && c.mode == "balanced" && back == own:
				t.Error("back to a pod that failed recently, although others are healthy")
			}
		})
	}
}

// canaried has a main Ingress with one pod, and a canary with another.
func canaried(main, canary map[string]string) routing.Snapshot {
	s := snapshot(main, []string{"10.0.0.1:80"})
	c := s.Ingresses[0].DeepCopy()
	c.Name, c.UID = "canary", "2"
	c.Annotations = map[string]string{"kubernetes.io/ingress.class": "lab", "nginx.ingress.kubernetes.io/canary": "true"}
	for name, value := range canary {
		c.Annotations["nginx.ingress.kubernetes.io/"+name] = value
	}
	c.Spec.Rules[0].HTTP.Paths[0].Backend.Service = &networkingv1.IngressServiceBackend{Name: "next",
		Port: networkingv1.ServiceBackendPort{Number: 80}}
	s.Ingresses = append(s.Ingresses, c)
	service := s.Services[0].DeepCopy()
	service.Name = "next"
	s.Services = append([]*corev1.Service{service}, s.Services...)
	endpoint := slice(1, "10.0.0.2:80")
	endpoint.Labels = map[string]string{discoveryv1.LabelServiceName: "next"}
	s.EndpointSlices = append(s.EndpointSlices, endpoint)
	return s
}

func TestSessionStaysWithCanary(t *testing.T) {
	for behavior, stays := range map[string]string{"sticky": "10.0.0.2:80", "legacy": "10.0.0.1:80"} {
		t.Run(behavior, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			r.threePods()
			table, problems := routing.Build(canaried(
				map[string]string{"affinity": "cookie", "affinity-canary-behavior": behavior},
				map[string]string{"canary-by-header": "X-Next"},
			), routing.Options{IngressClass: "lab"}, nil)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			r.server.Swap(table)
			client := &session{rig: r}
			if pod, set := client.ask("X-Next", "always"); pod != "10.0.0.2:80" || set == "" {
				t.Fatalf("want the canary, went to %s, Set-Cookie %q", pod, set)
			}
			if pod, _ := client.ask(); pod != stays {
				t.Errorf("went to %s, want %s", pod, stays)
			}
		})
	}
}

// The canary's annotations set how its own pods share its requests.
func TestCanaryUsesOwnAlgorithm(t *testing.T) {
	r := newRig(t, proxy.Options{})
	r.threePods()
	s := canaried(nil, map[string]string{"canary-by-header": "X-Next", "upstream-hash-by": "$request_uri"})
	for i, address := range []string{"10.0.0.2:80", "10.0.0.3:80"} {
		endpoint := slice(i+1, address)
		endpoint.Labels = map[string]string{discoveryv1.LabelServiceName: "next"}
		s.EndpointSlices = append(s.EndpointSlices[:i+1], endpoint)
	}
	table, problems := routing.Build(s, routing.Options{IngressClass: "lab"}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r.server.Swap(table)
	client := &session{rig: r}
	first, _ := client.ask("X-Next", "always")
	for range 5 {
		if pod, _ := client.ask("X-Next", "always"); pod != first {
			t.Errorf("the same URI was served by %s and %s", first, pod)
		}
	}
}

func TestHashKeepsKeyWithPod(t *testing.T) {
	r := newRig(t, proxy.Options{})
	pods := r.threePods()
	r.route(map[string]string{"upstream-hash-by": "$request_uri"}, pods...)
	where, met := map[string]string{}, map[string]bool{}
	for i := range 20 {
		path := fmt.Sprintf("/item?%d", i)
		_, where[path] = r.get(path)
		met[where[path]] = true
	}
	if len(met) != 3 {
		t.Errorf("20 keys were served only by %v", met)
	}
	r.route(map[string]string{"upstream-hash-by": "$request_uri"}, without(pods, pods[1])...)
	for path, pod := range where {
		if _, now := r.get(path); pod != pods[1] && now != pod {
			t.Errorf("%s moved from %s to %s", path, pod, now)
		}
	}
}
