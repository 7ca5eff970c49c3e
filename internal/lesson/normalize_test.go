package lesson_test

import (
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lesson"
)

func TestNormalize(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"pods of a Deployment": {
			"NAME                       READY   STATUS    RESTARTS      AGE\ncheddar-5d4f8b6c7d-x2k9q   1/1     Running   2 (5s ago)    3m12s",
			"NAME READY STATUS RESTARTS AGE\ncheddar-POD 1/1 Running 2 AGE",
		},
		"a ReplicaSet":   {"replicaset.apps/cheddar-5d4f8b6c7d", "replicaset.apps/cheddar-HASH"},
		"a DaemonSet":    {"pod/ingresslab-controller-9xk2f condition met", "pod/ingresslab-controller-POD condition met"},
		"no random name": {"frontend-canary website8080-stable", "frontend-canary website8080-stable"},
		"pod addresses":  {"10.244.1.4:80,10.244.2.17:80 10.244.1.4:43210", "IP:80,IP:80 IP:PORT"},
		"this machine":   {"127.0.0.1:8080 0.0.0.0 ::1", "127.0.0.1:8080 0.0.0.0 ::1"},
		"networks":       {"10.244.0.0/16 fd00:10:244::/56", "IP/MASK IP/MASK"},
		"IPv6":           {"[fd00:10:244::5]:80 2001:db8::1", "[IP]:80 IP"},
		"a version":      {"v1.36.3 HTTP/1.1", "v1.36.3 HTTP/1.1"},
		"node ports":     {"80:31245/TCP,443:30000/TCP 32767/TCP", "80:NODEPORT/TCP,443:30000/TCP 32767/TCP"},
		"nodes": {"ingresslab-test-kind-worker2 lessons-control-plane node-role.kubernetes.io/control-plane:NoSchedule",
			"NODE NODE-control-plane node-role.kubernetes.io/control-plane:NoSchedule"},
		"dates": {"Date: Sat, 21 Nov 2026 21:00:30 GMT\nnotAfter=Nov 21 21:00:30 2027 GMT\n" +
			"2026-11-21T21:00:30.123Z\n2026-11-21 21:00:30 +0000 UTC\n21:00:30",
			"Date: DATE\nnotAfter=DATE\nDATE\nDATE\nTIME"},
		"ids": {"uid: 0c0e2cbe-0f3a-4b67-9e0c-0123456789ab\nresourceVersion: \"1234\"\nserial=4FB2A1C09D8E7F60",
			"uid: UID\nresourceVersion: \"N\"\nserial=HEX"},
		"fingerprints": {"sha256 Fingerprint=AA:BB:CC:DD:EE:FF:00:11:22:33", "sha256 Fingerprint=HEX"},
		"cookies": {"Set-Cookie: INGRESSCOOKIE=9f86d081884c7d65; Path=/; HttpOnly",
			"Set-Cookie: INGRESSCOOKIE=HEX; Path=/; HttpOnly"},
		"passwords":                {"foo:$apr1$ab.c/d$Xyz0123456789abcdefgh.", "foo:$apr1$HASH"},
		"length":                   {"Content-Length: 1234", "Content-Length: N"},
		"Events":                   {"Normal  Pulled  7s (x3 over 2m5s)  kubelet  Container image", "Normal Pulled AGE kubelet Container image"},
		"ends":                     {"a  \n\nb\r\n\n\n", "a\n\nb"},
		"indentation":              {"  host:   a\n\tb\tc", "  host: a\n  b c"},
		"colors":                   {"\x1b[32m✓\x1b[0m done", "✓ done"},
		"a status and a port stay": {"HTTP/1.1 404 Not Found\nport 8080", "HTTP/1.1 404 Not Found\nport 8080"},
	} {
		if got := lesson.Normalize(c.in); got != c.want {
			t.Errorf("%s:\n%q becomes\n%q, want\n%q", name, c.in, got, c.want)
		}
		if again := lesson.Normalize(lesson.Normalize(c.in)); again != c.want {
			t.Errorf("%s: the second normalization returns %q", name, again)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		recorded, output string
		want             bool
	}{
		{"", "", true},
		{"", "\n", true},
		{"a", "b", false},
		{"web-5d4f8b6c7d-x2k9q 5s", "web-7c6d5b4f8d-9xk2f   1m", true},
		{"a\n...\nz", "a\nb\nc\nz\n", true},
		{"a\n...\nz", "a\nz", true},
		{"a\n...\nz", "a\nb", false},
		{"a\n  ...", "a\nb\nc", true},
		{"...", "", true},
		{"a", "a\nb", false},
		{"...\na\n...\nb", "x\na\na\nb", true},
		{"...\na\nb\n...\n...", "a\na\nb", true},
		{"...\na\n...\nz", "z\na", false},
		// The time must not grow exponentially with the number of elisions.
		{strings.Repeat("...\na\n", 20) + "z", strings.Repeat("a\n", 400), false},
	} {
		if got := lesson.Match(c.recorded, c.output); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.recorded, c.output, got)
		}
	}
}

func TestDiff(t *testing.T) {
	want := "  HTTP/1.1\n- 404\n+ 200\n  end\n+ more\n"
	if got := lesson.Diff("HTTP/1.1\n404\nend", "HTTP/1.1\n200\nend\nmore"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := lesson.Diff("a 1s", "a 2s"); got != "" {
		t.Errorf("equal outputs differ: %q", got)
	}
}
