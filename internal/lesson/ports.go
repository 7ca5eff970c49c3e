package lesson

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// hostPort is an address as texts have it: of this machine, of a name under localhost, or of a name that --resolve leads here.
// Addresses of pods and names of Services are none of them.
var hostPort = regexp.MustCompile(`(127\.0\.0\.1|\[::1\]|(?:[A-Za-z0-9*-]+\.)*localhost|(?:[A-Za-z0-9*-]+\.)+[A-Za-z]{2,})(:|\)? port )(\d{2,5})\b`)

// WithPorts returns a text of a lesson, which has the default ports 8080 (HTTP), 8443 (HTTPS) and 18080 (the status page), with
// the ports of a cluster.
func WithPorts(text string, a cluster.Addresses) string { return translate(text, ports(a)) }

// WithDefaultPorts returns an output of a cluster with the ports that a lesson has: what WithPorts does, back.
func WithDefaultPorts(text string, a cluster.Addresses) string {
	back := map[string]string{}
	for lesson, own := range ports(a) {
		back[own] = lesson
	}
	return translate(text, back)
}

// ports maps the ports of lessons to those of a cluster.
func ports(a cluster.Addresses) map[string]string {
	m := map[string]string{}
	for port, address := range map[int]string{
		cluster.DefaultHTTPPort: a.HTTP, cluster.DefaultHTTPSPort: a.HTTPS, cluster.DefaultStatusPort: a.Status,
	} {
		if _, own, err := net.SplitHostPort(address); err == nil {
			m[strconv.Itoa(port)] = own
		}
	}
	return m
}

func translate(text string, ports map[string]string) string {
	return hostPort.ReplaceAllStringFunc(text, func(found string) string {
		m := hostPort.FindStringSubmatch(found)
		port, known := ports[m[3]]
		if !known || strings.HasSuffix(m[1], ".svc") || strings.HasSuffix(m[1], ".local") {
			return found
		}
		return m[1] + m[2] + port
	})
}
