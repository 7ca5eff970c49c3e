// Package text formats counts for messages.
package text

import (
	"fmt"
	"strings"
)

// Count returns n with its noun: "1 pod", "3 pods", "2 ingresses".
func Count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
