package controlplane

import (
	"encoding/json"
	"regexp"
	"strings"
)

// badVerb is what fmt makes of %w outside of fmt.Errorf, as etcd's words about a damaged database have it.
var badVerb = regexp.MustCompile(`%!w\([^=]*=&\{(.*?)\}\)`)

// etcdComplaint tells whether a line of etcd's log says why it ends. They are JSON but for Go's own words about a panic.
func etcdComplaint(line string) (text string, found bool) {
	var entry struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &entry) != nil {
		text, found = plainComplaint(line)
		return badVerb.ReplaceAllString(text, "$1"), found
	}
	switch entry.Level {
	case "panic", "fatal":
	default:
		return "", false
	}
	if entry.Error != "" {
		entry.Msg += ": " + entry.Error
	}
	return badVerb.ReplaceAllString(entry.Msg, "$1"), true
}

// kubernetesComplaint tells the same of Kubernetes' programs: an F line of klog, or an error that the command line came to.
func kubernetesComplaint(line string) (text string, found bool) {
	if strings.HasPrefix(line, "F") {
		if _, rest, ok := strings.Cut(line, "] "); ok {
			return rest, true
		}
	}
	if rest, ok := strings.CutPrefix(line, "E"); ok && strings.Contains(rest, "command failed") {
		if _, why, ok := strings.Cut(rest, "] "); ok {
			return why, true
		}
	}
	return plainComplaint(line)
}

// plainComplaint knows the last words of Go programs.
func plainComplaint(line string) (text string, found bool) {
	for _, mark := range []string{"panic: ", "fatal error: ", "Error: ", "error: "} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			return rest, true
		}
	}
	return "", false
}
