package annotations

// mirroring lists the annotations for copies of requests.
var mirroring = []Entry{
	{Name: "mirror-target", Group: "mirror", Support: Supported, Values: "an absolute URL; variables",
		Note: "receives a copy of every request; its responses are discarded",
		read: template(checkURL, func(o *Options) *Template { return &o.Mirror.Target })},
	{Name: "mirror-request-body", Group: "mirror", Support: Supported, With: "mirror-target", Values: "on, off", Default: "on",
		Note: "whether the copy includes the body", read: onOff(func(o *Options) *bool { return &o.Mirror.RequestBody })},
	{Name: "mirror-host", Group: "mirror", Support: Supported, With: "mirror-target", Values: "a host",
		Default: "the host of mirror-target",
		Note:    "the Host header of the copy", read: readMirrorHost},
}

func readMirrorHost(o *Options, value string) error {
	if err := checkHost(value); err != nil {
		return err
	}
	o.Mirror.Host = value
	return nil
}
