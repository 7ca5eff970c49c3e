package annotations

import (
	"fmt"
	"strconv"
	"strings"
)

// number returns a reader for a whole number from least to most.
func number(least, most int, field func(*Options) *int) reader {
	return func(o *Options, value string) error {
		n, err := parseNumber(value, least, most)
		if err != nil {
			return err
		}
		*field(o) = n
		return nil
	}
}

func parseNumber(value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || strings.HasPrefix(value, "+") {
		return 0, fmt.Errorf("%q is not a whole number", value)
	}
	if n < least || n > most {
		return 0, fmt.Errorf("%d is out of range: %d to %d", n, least, most)
	}
	return n, nil
}

// kilobytes returns a reader for a whole number of kilobytes of 1,024 bytes, as in nginx.
func kilobytes(field func(*Options) *int64) reader {
	return func(o *Options, value string) error {
		n, err := parseNumber(value, 0, 1<<40)
		if err != nil {
			return err
		}
		*field(o) = int64(n) << 10
		return nil
	}
}

// size returns a reader for a number of bytes: "1024", "8k", "8m", "1g", in upper or lower case
// (nginx.org/en/docs/syntax.html).
func size(field func(*Options) *int64) reader {
	return func(o *Options, value string) error {
		n, err := parseSize(value)
		if err != nil {
			return err
		}
		*field(o) = n
		return nil
	}
}

func parseSize(value string) (int64, error) {
	digits, shift := value, 0
	if value != "" {
		switch last := len(value) - 1; value[last] | 0x20 { // in lower case
		case 'k':
			digits, shift = value[:last], 10
		case 'm':
			digits, shift = value[:last], 20
		case 'g':
			digits, shift = value[:last], 30
		}
	}
	n, err := strconv.ParseUint(digits, 10, 62-shift)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size: write bytes, or a number with k, m, or g, such as %q", value, "8m")
	}
	return int64(n) << shift, nil
}

// numbers reads a comma-separated list of whole numbers from least to most.
func numbers(value string, least, most int) ([]int, error) {
	var all []int
	for _, item := range items(value) {
		n, err := parseNumber(item, least, most)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%q contains no number", value)
	}
	return all, nil
}
