package annotations

import (
	"fmt"
	"strconv"
	"time"
)

// The range of a time-out. Zero would end every request before it began, and a year is as good as never: WebSocket
// users write a week, and somebody who writes more means "do not time out".
const (
	MinTimeout = time.Second
	MaxTimeout = 365 * 24 * time.Hour
)

// timeout makes the reader of a time-out annotation: whole seconds without a unit, as ingress-nginx writes them.
func timeout(field func(*Options) *time.Duration) func(o *Options, name, value string) *Fault {
	return func(o *Options, name, value string) *Fault {
		d, err := parseSeconds(value)
		if err != nil {
			return &Fault{Prefix + name, CodeInvalid, err.Error() + "; the default applies"}
		}
		*field(o) = d
		return nil
	}
}

// parseSeconds reads a whole number of seconds between MinTimeout and MaxTimeout.
func parseSeconds(value string) (time.Duration, error) {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		if d, unitErr := time.ParseDuration(value); unitErr == nil && d >= MinTimeout && d <= MaxTimeout {
			return 0, fmt.Errorf("%q has a unit: write whole seconds, %q", value, strconv.Itoa(int(d.Seconds())))
		}
		return 0, fmt.Errorf("%q is not a whole number of seconds", value)
	}
	if seconds < uint64(MinTimeout/time.Second) || seconds > uint64(MaxTimeout/time.Second) {
		return 0, fmt.Errorf("%s is out of range: %d to %d seconds", value, MinTimeout/time.Second, MaxTimeout/time.Second)
	}
	return time.Duration(seconds) * time.Second, nil
}
