package strictyaml

import (
	"fmt"
	"slices"
)

// renamed lists the keys of the lab's files that have a new name. Remove it in version 2.
var renamed = map[string][]string{
	"arrived":    {"received"},
	"authority":  {"ca"},
	"bears":      {"tolerates"},
	"because":    {"message"},
	"claims":     {"locks"},
	"do":         {"action", "steps"},
	"fault":      {"finding"},
	"gone":       {"exists"},
	"guide":      {"defaultHints"},
	"lacks":      {"notContains"},
	"send":       {"body"},
	"startsTrue": {"passesAtStart"},
	"tellFrom":   {"distinguishFrom"},
	"tiers":      {"levels"},
	"to":         {"connectTo"},
}

// newName returns the present name of a key of a struct with the known keys.
func newName(key string, known []string) string {
	if slices.Contains(known, key) {
		return key
	}
	for _, name := range renamed[key] {
		if slices.Contains(known, name) {
			return name
		}
	}
	return key
}

func renamedTo(old, name string) string {
	message := fmt.Sprintf("`%s` is now `%s`", old, name)
	if old == "gone" {
		message += ", with the opposite value"
	}
	return message
}
