package replay

import (
	"regexp"
	"strings"
)

var (
	// looking are the programs and verbs that look at the cluster.
	looking = regexp.MustCompile(`\b(curl|openssl s_client|` +
		`kubectl( -\S+( [^-\s]\S*)?)* (get|describe|logs|wait|rollout status|rollout history|exec|explain|events|top|auth can-i)|ingresslab (explain|check|status))\b`)
	// changing are those that change something, so that a second time is not like the first.
	changing = regexp.MustCompile(`\bkubectl( -\S+( [^-\s]\S*)?)* (apply|create|delete|edit|patch|scale|set|label|annotate|expose|run|replace|cordon|uncordon|drain|` +
		`taint|cp|autoscale|config|rollout (restart|undo|pause|resume))\b|` +
		`\b(openssl (req|x509|passwd|genrsa|ecparam)|htpasswd|make|ingresslab (up|down|lab|run|prove|image))\b|\bkill\b|&\s*$`)
)

// looks says whether a command only looks, so that it may be tried again until it shows what is expected. A curl that sends something
// else than a GET does not.
func looks(command string) bool {
	if strings.Contains(command, "-X POST") || strings.Contains(command, "/crash") {
		return false
	}
	return looking.MatchString(command) && !changing.MatchString(command)
}
