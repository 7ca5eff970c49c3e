package annotations

// errorPages lists what answers in the place of an endpoint.
var errorPages = []Entry{
	{Name: "custom-http-errors", Group: "errors", Support: Supported, Values: "statuses from 400 to 599, separated by commas",
		Note: "statuses of endpoints in whose place the error back-end answers", read: readErrorCodes},
	{Name: "disable-proxy-intercept-errors", Group: "errors", Support: Supported, With: "custom-http-errors", Values: "true, false", Default: "false",
		Note: "frees the Ingress from the ConfigMap's custom-http-errors, and from its own", read: readNoErrors},
	{Name: "default-backend", Group: "errors", Support: Supported, Values: "the name of a Service in the same namespace",
		Note: "the error back-end; it also answers when the Service of a rule has no endpoint", read: service(func(o *Options) *string { return &o.Errors.Service })},
}

func readErrorCodes(o *Options, value string) error {
	codes, err := numbers(value, 400, 599)
	if err != nil {
		return err
	}
	o.Errors.Codes = codes
	return nil
}

func readNoErrors(o *Options, value string) error {
	disable, err := parseBool(value)
	if disable {
		o.Errors.Codes = nil
	}
	return err
}
