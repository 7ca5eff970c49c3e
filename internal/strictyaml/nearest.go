package strictyaml

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the candidate that is most similar to name, or "" without a similar one. Similar means that at most a third
// of the letters differ, or one in a short name. A name that is the prefix of exactly one candidate is similar to it, too. Case is ignored.
func Nearest(name string, candidates []string) string {
	length := utf8.RuneCountInString(name)
	best, bestDistance := "", max(length/3, 1)+1
	var starting []string
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
		if length >= 3 && strings.HasPrefix(strings.ToLower(c), strings.ToLower(name)) {
			starting = append(starting, c)
		}
	}
	if best == "" && len(starting) == 1 {
		return starting[0]
	}
	return best
}

// distance returns the optimal string alignment distance: an insertion, a deletion, a substitution, and a swap of neighbors each
// cost one. So, "tset" for "test" is one typing error.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
