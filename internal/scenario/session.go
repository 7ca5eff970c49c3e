package scenario

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// session is what a browser would remember from one step to the next.
type session struct {
	cookies http.CookieJar
	// pod answered the session's last step; empty before the first.
	pod string
}

// session returns the session of a name, and begins it the first time.
func (r *runner) session(name string) (*session, error) {
	if s := r.sessions[name]; s != nil {
		return s, nil
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", name, err)
	}
	s := &session{cookies: jar}
	r.sessions[name] = s
	return s, nil
}

// samePod compares the pod that answered with the one that did before. Without one before, every pod is right: there has
// to be a first.
func (s *session) samePod(want bool, o *probe.Observation) []probe.Mismatch {
	if o.Served == nil {
		return []probe.Mismatch{{Field: "answered by", Expected: "a pod", Observed: "no workload"}}
	}
	if s.pod == "" || want == (o.Served.Pod == s.pod) {
		return nil
	}
	expected := "pod " + s.pod + ", as before"
	if !want {
		expected = "another pod than " + s.pod
	}
	return []probe.Mismatch{{Field: "session", Expected: expected, Observed: "pod " + o.Served.Pod}}
}

// remember keeps who answered for the session's next step.
func (s *session) remember(o *probe.Observation) {
	if o != nil && o.Served != nil {
		s.pod = o.Served.Pod
	}
}
