package proxy_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
)

// statuses counts the statuses of n sequential requests.
func (r *rig) statuses(n int) map[int]int {
	r.t.Helper()
	counts := map[int]int{}
	for range n {
		response, _ := r.get("/")
		counts[response.StatusCode]++
	}
	return counts
}

func TestRateLimit(t *testing.T) {
	tests := map[string]struct {
		annotations map[string]string
		objects     []object
		passed      int
		status      int
	}{
		"by the minute":     {map[string]string{"limit-rpm": "2", "limit-burst-multiplier": "1"}, nil, 3, 503},
		"the default burst": {map[string]string{"limit-rpm": "1"}, nil, 6, 503},
		"another status": {
			map[string]string{"limit-rpm": "1"}, []object{configMap("lab", settings, map[string]string{"limit-req-status-code": "429"})}, 6, 429,
		},
		"exempt": {map[string]string{"limit-rpm": "1", "limit-allowlist": "127.0.0.0/8"}, nil, 10, 503},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := worldRig(t, test.annotations, test.objects...)
			counts := r.statuses(10)
			if counts[200] != test.passed || counts[test.status] != 10-test.passed {
				t.Errorf("statuses %v, want %d times 200, and otherwise %d", counts, test.passed, test.status)
			}
		})
	}
}

func TestRateLimitOutlivesTables(t *testing.T) {
	annotations := map[string]string{"limit-rpm": "1", "limit-burst-multiplier": "1"}
	r := worldRig(t, annotations)
	r.statuses(5)
	r.world(annotations, service("other", "10.0.0.7:80"))
	response, body := r.get("/")
	wantStatus(t, response, body, http.StatusServiceUnavailable)
	after, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || after < 1 || after > 60 {
		t.Errorf("retry-after %q, want 1 to 60 seconds", response.Header.Get("Retry-After"))
	}
}

func TestConnectionLimit(t *testing.T) {
	r := worldRig(t, map[string]string{"limit-connections": "2"},
		configMap("lab", settings, map[string]string{"limit-conn-status-code": "429"}))
	arrived, release := make(chan struct{}), make(chan struct{})
	r.pod("10.0.0.1:80", func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	var inFlight sync.WaitGroup
	for range 2 {
		inFlight.Go(func() { r.get("/") })
		<-arrived
	}
	if response, _ := r.get("/"); response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the third parallel request: status %d, want 429", response.StatusCode)
	}
	close(release)
	inFlight.Wait()
	go func() { <-arrived }()
	if response, _ := r.get("/"); response.StatusCode != http.StatusOK {
		t.Errorf("a later request: status %d, want 200", response.StatusCode)
	}
}
