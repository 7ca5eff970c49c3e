// Package fetch is the HTTP client of the net-test pod: the parts of curl and wget that the labs use.
// Options, output, and exit codes follow the originals. An option that this package lacks is an error.
//
// curl.go and wget.go turn arguments into a transfer; transfer.go runs it; failure.go selects the exit code.
//
// Three differences: the path is sent as typed, as with curl's --path-as-is. Response headers are printed in
// alphabetical order, because net/http does not keep theirs. The proxy settings of the environment are ignored.
package fetch

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// Streams are the outputs of a command.
type Streams struct{ Out, Err io.Writer }

// parseOptions reads the options and returns the URLs. If the command has to end, it prints the help or the error,
// and returns done and the exit code.
func parseOptions(set *pflag.FlagSet, args []string, std Streams) (urls []string, code int, done bool) {
	set.Usage = func() {} // it is printed below
	err := set.Parse(args)
	var unknown *pflag.NotExistError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, _ = fmt.Fprintf(std.Out, "usage: %s [options] URL...\n\nA small %[1]s for the pods of the labs.\n\n%s", set.Name(), set.FlagUsages())
		return nil, 0, true
	case errors.As(err, &unknown):
		err = fmt.Errorf("%w; the options are:\n%s", err, set.FlagUsages())
	case err == nil && set.NArg() == 0:
		err = errors.New("no URL given; --help lists the options")
	}
	if err != nil {
		_, _ = fmt.Fprintf(std.Err, "%s: %v\n", set.Name(), err)
		return nil, exitUsage, true
	}
	return set.Args(), 0, false
}

// secondsTo returns an option's setter for a duration in seconds, such as 0.5.
func secondsTo(target *time.Duration) func(string) error {
	return func(value string) error {
		s, err := strconv.ParseFloat(value, 64)
		// The upper bound, 30 years, prevents an overflow. The comparison is false for NaN.
		if err != nil || !(s >= 0 && s <= 1e9) {
			return fmt.Errorf("%q is not a number of seconds", value)
		}
		*target = time.Duration(s * float64(time.Second))
		return nil
	}
}
