package annotations

// nearest returns the name in the list that differs from name by one typing mistake, or "".
func nearest(name string) string {
	for i := range list {
		if oneSlipApart(name, list[i].Name) {
			return list[i].Name
		}
	}
	return ""
}

// nearestKey is like nearest, but for the keys of the ConfigMap.
func nearestKey(key string) string {
	for i := range settings {
		if oneSlipApart(key, settings[i].Key) {
			return settings[i].Key
		}
	}
	return ""
}

// oneSlipApart reports whether one added, dropped, or replaced letter, or two swapped neighbors,
// turns a into b. It removes the common prefix and suffix, and compares the remaining letters. A
// full edit distance would need a table for each pair of names.
func oneSlipApart(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 2 && len(b) == 2 {
		return a[0] == b[1] && a[1] == b[0]
	}
	return len(a) <= 1 && len(b) <= 1
}
