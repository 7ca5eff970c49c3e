package annotations

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The range of a timeout. Zero would end every request before it starts. A year is practically
// unlimited: For WebSockets, users set up to a week. A user who sets more wants no timeout.
const (
	MinTimeout = time.Second
	MaxTimeout = 365 * 24 * time.Hour
)

// maxAge is the longest time for browsers to keep data: 68 years, the most seconds in 32 bits.
const maxAge = (1<<31 - 1) * time.Second

// seconds returns a reader for a whole number of seconds without a unit, as in ingress-nginx.
func seconds(least, most time.Duration, field func(*Options) *time.Duration) reader {
	return func(o *Options, value string) error {
		d, err := parseSeconds(value, least, most)
		if err != nil {
			return err
		}
		*field(o) = d
		return nil
	}
}

// parseSeconds reads a whole number of seconds from least to most.
func parseSeconds(value string, least, most time.Duration) (time.Duration, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || strings.HasPrefix(value, "+") {
		if d, unitErr := time.ParseDuration(value); unitErr == nil && d >= max(least, time.Second) && d <= most {
			return 0, fmt.Errorf("%q has a unit: write whole seconds, %q", value, strconv.Itoa(int(d.Seconds())))
		}
		return 0, fmt.Errorf("%q is not a whole number of seconds", value)
	}
	if n < int64(least/time.Second) || n > int64(most/time.Second) {
		return 0, fmt.Errorf("%s is out of range: %d to %d seconds", value, least/time.Second, most/time.Second)
	}
	return time.Duration(n) * time.Second, nil
}
