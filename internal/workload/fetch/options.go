package fetch

import (
	"fmt"
	"io"
	"strings"
)

// option is one flag of a command line.
type option struct {
	short string // one letter, or empty
	long  string
	arg   string // what its value is called, or empty for a switch
	help  string
	set   func(value string) error
}

// parseOptions reads the flags and returns what is left. It knows -x value, -xvalue, switches written
// together (-sSi, -qO-), --long value, --long=value and "--".
func parseOptions(args []string, options []option) (rest []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(rest, args...), nil
		case strings.HasPrefix(arg, "--"):
			args, err = parseLong(arg, args, options)
		case len(arg) > 1 && arg[0] == '-':
			args, err = parseShort(arg, args, options)
		default:
			rest = append(rest, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func parseLong(arg string, args []string, options []option) (left []string, err error) {
	name, value, given := strings.Cut(arg[2:], "=")
	for _, o := range options {
		if o.long != name {
			continue
		}
		switch {
		case o.arg == "" && given:
			return nil, fmt.Errorf("option --%s: takes no value", name)
		case o.arg != "" && !given && len(args) == 0:
			return nil, fmt.Errorf("option --%s: requires %s", name, o.arg)
		case o.arg != "" && !given:
			value, args = args[0], args[1:]
		}
		if err := o.set(value); err != nil {
			return nil, fmt.Errorf("option --%s: %w", name, err)
		}
		return args, nil
	}
	return nil, fmt.Errorf("option --%s: is unknown; --help lists what there is", name)
}

func parseShort(arg string, args []string, options []option) (left []string, err error) {
	for letters := arg[1:]; letters != ""; {
		letter := letters[:1]
		letters = letters[1:]
		o := findShort(letter, options)
		if o == nil {
			return nil, fmt.Errorf("option -%s: is unknown; --help lists what there is", letter)
		}
		value := ""
		if o.arg != "" {
			if value, letters = letters, ""; value == "" {
				if len(args) == 0 {
					return nil, fmt.Errorf("option -%s: requires %s", letter, o.arg)
				}
				value, args = args[0], args[1:]
			}
		}
		if err := o.set(value); err != nil {
			return nil, fmt.Errorf("option -%s: %w", letter, err)
		}
	}
	return args, nil
}

func findShort(letter string, options []option) *option {
	for i := range options {
		if options[i].short == letter {
			return &options[i]
		}
	}
	return nil
}

// printHelp lists the options, one a line.
func printHelp(w io.Writer, usage string, options []option) {
	_, _ = fmt.Fprintln(w, usage)
	for _, o := range options {
		short := "    "
		if o.short != "" {
			short = "-" + o.short + ", "
		}
		if o.long == "" {
			short = "-" + o.short
		} else {
			short += "--" + o.long
		}
		_, _ = fmt.Fprintf(w, "  %-38s %s\n", strings.TrimRight(short+" "+o.arg, " "), o.help)
	}
}

// The setters of the usual kinds of options.

func on(target *bool) func(string) error {
	return func(string) error { *target = true; return nil }
}

func text(target *string) func(string) error {
	return func(value string) error { *target = value; return nil }
}
