package annotations

// nearest returns the name in the list that is one slip of the finger away from name, or "".
func nearest(name string) string {
	for i := range list {
		if oneSlipApart(name, list[i].Name) {
			return list[i].Name
		}
	}
	return ""
}

// nearestKey does the same for the ConfigMap.
func nearestKey(key string) string {
	for i := range settings {
		if oneSlipApart(key, settings[i].Key) {
			return settings[i].Key
		}
	}
	return ""
}

// oneSlipApart says whether one letter added, dropped or replaced, or two neighbors swapped, makes b of a. What is
// left between the longest common beginning and end tells; a full edit distance would cost a table per pair of names.
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
