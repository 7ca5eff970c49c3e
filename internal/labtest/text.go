package labtest

import "fmt"

// plural counts: plural(2, "check holds", "checks hold") is "2 checks hold".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
