package embedded

// possible says why there can be no embedded cluster on this machine, for this user.
func possible() error { return nil }
