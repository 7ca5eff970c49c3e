package annotations

// errorPages lists the annotations for responses that replace those of endpoints.
var errorPages = []Entry{
	{Name: "custom-http-errors", Group: "errors", Support: Supported, Values: "statuses from 400 to 599, separated by commas",
		Note: "endpoint statuses that the error backend replaces with its own response", read: readErrorCodes},
	{Name: "disable-proxy-intercept-errors", Group: "errors", Support: Supported, With: "custom-http-errors", Values: "true, false",
		Default: "false",
		Note:    "exempts the Ingress from custom-http-errors, in the ConfigMap and as an annotation", read: readNoErrors},
	{Name: "default-backend", Group: "errors", Support: Supported, Values: "the name of a Service in the same namespace",
		Note: "the error backend; it also responds if the Service of a rule has no endpoint",
		read: service(func(o *Options) *string { return &o.Errors.Service })},
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
