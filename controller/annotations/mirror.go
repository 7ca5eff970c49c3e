package annotations

// mirroring lists what sends a copy of requests elsewhere.
var mirroring = []Entry{
	{Name: "mirror-target", Group: "mirror", Support: Supported, Values: "an absolute URL; variables",
		Note: "gets a copy of every request, whose answer is thrown away", read: template(checkURL, func(o *Options) *Template { return &o.Mirror.Target })},
	{Name: "mirror-request-body", Group: "mirror", Support: Supported, With: "mirror-target", Values: "on, off", Default: "on",
		Note: "whether the copy has the body", read: onOff(func(o *Options) *bool { return &o.Mirror.RequestBody })},
	{Name: "mirror-host", Group: "mirror", Support: Supported, With: "mirror-target", Values: "a host", Default: "the host of mirror-target",
		Note: "the Host header of the copy", read: readMirrorHost},
}

func readMirrorHost(o *Options, value string) error {
	if err := checkHost(value); err != nil {
		return err
	}
	o.Mirror.Host = value
	return nil
}
