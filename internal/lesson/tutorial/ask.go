package tutorial

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// ask is the command with which the cluster answers a quiz.
func ask(q *lab.Quiz) string {
	if q.Request == nil {
		return "kubectl get " + q.Object + " -o jsonpath='" + q.JSONPath + "'"
	}
	var lines []string
	for _, step := range q.Before {
		if step.Expect != nil {
			lines = append(lines, curl(step.Expect, "-si"))
		}
	}
	flags := "-si"
	if q.Answer == "body" {
		flags = "-s"
	}
	return strings.Join(append(lines, curl(q.Request, flags)), "\n$ ")
}

// curl is a request as a command, on the ports that the lab has by default.
func curl(e *scenario.Expect, flags string) string {
	words := []string{"curl", flags}
	if e.From != "" {
		words = []string{"kubectl", "exec", e.From, "--", "curl", flags}
	}
	if e.Method != "" && e.Method != "GET" {
		words = append(words, "-X", e.Method)
	}
	if e.Session != "" {
		words = append(words, "-b", "cookies", "-c", "cookies")
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return strings.Join(append(words, quote(e.URL)), " ")
	}
	if e.From == "" {
		words = append(words, here(u)...)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		words = append(words, "-H", quote(name+": "+e.Header[name]))
	}
	return strings.Join(append(words, quote(u.String())), " ")
}

// here makes a URL lead to this machine, and returns the flags that are needed for it.
func here(u *url.URL) []string {
	var flags []string
	host, port := u.Hostname(), "8080"
	if u.Scheme == "https" {
		port = "8443"
		flags = append(flags, "-k")
	}
	u.Host = host + ":" + port
	switch {
	case host == "127.0.0.1" || strings.HasSuffix(host, ".localhost"):
	case u.Scheme == "https":
		flags = append(flags, "--resolve", host+":"+port+":127.0.0.1")
	default:
		flags = append(flags, "-H", quote("Host: "+host))
		u.Host = "127.0.0.1:" + port
	}
	return flags
}

// quote writes a word as a shell reads it.
func quote(word string) string {
	if strings.ContainsAny(word, " \t'\"$&|<>;*?()`\\!#~{}") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
