package annotations

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// boolean returns a reader for "true", "false", and the other words that strconv.ParseBool accepts,
// as in ingress-nginx.
func boolean(field func(*Options) *bool) reader {
	return func(o *Options, value string) error {
		on, err := parseBool(value)
		if err != nil {
			return err
		}
		*field(o) = on
		return nil
	}
}

func parseBool(value string) (bool, error) {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", value)
	}
	return on, nil
}

// choice returns a reader for one of words, in upper or lower case. words are in lower case.
func choice[T any](field func(*Options) *T, words map[string]T) reader {
	return func(o *Options, value string) error {
		chosen, ok := words[strings.ToLower(value)]
		if !ok {
			return notOneOf(value, slices.Sorted(maps.Keys(words)))
		}
		*field(o) = chosen
		return nil
	}
}

// onOff returns a reader for nginx's booleans.
func onOff(field func(*Options) *bool) reader {
	return choice(field, map[string]bool{"on": true, "off": false})
}

// oneOf returns a reader for one of the words of a setting, in lower case.
func oneOf(words []string, field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		if !slices.Contains(words, strings.ToLower(value)) {
			return notOneOf(value, words)
		}
		*field(s) = strings.ToLower(value)
		return nil
	}
}

func notOneOf(value string, words []string) error {
	return fmt.Errorf("%q is not one of %s", value, strings.Join(words, ", "))
}
