package annotations

import (
	"fmt"
	"regexp"
	"strings"
)

// clientTLS lists the annotations for client certificates (mTLS).
var clientTLS = []Entry{
	{Name: "auth-tls-secret", Group: "mTLS", Support: Supported, Values: "name or namespace/name of a Secret",
		Note: "the Secret with the CA (ca.crt) that must sign client certificates",
		read: reference(func(o *Options) *string { return &o.ClientTLS.Secret })},
	{Name: "auth-tls-verify-client", Group: "mTLS", Support: Supported, With: "auth-tls-secret", Values: "on, off, optional, optional_no_ca",
		Default: "on",
		Idle:    []string{""},
		Note:    "whether clients must present a certificate",
		read: choice(func(o *Options) *ClientVerify { return &o.ClientTLS.Verify }, map[string]ClientVerify{
			"on": VerifyOn, "off": VerifyOff, "optional": VerifyOptional, "optional_no_ca": VerifyOptionalNoCA})},
	{Name: "auth-tls-verify-depth", Group: "mTLS", Support: Supported, With: "auth-tls-secret", Values: "1 to 100", Default: "1",
		Idle: []string{"", "0"},
		Note: "the maximum number of CAs between the client's certificate and the CA in the Secret",
		read: number(1, 100, func(o *Options) *int { return &o.ClientTLS.Depth })},
	{Name: "auth-tls-match-cn", Group: "mTLS", Support: Supported, With: "auth-tls-secret",
		Values: "CN= followed by a regular expression (RE2)",
		Note:   "the pattern for the common name of client certificates", read: readMatchCN},
	{Name: "auth-tls-pass-certificate-to-upstream", Group: "mTLS", Support: Supported, With: "auth-tls-secret", Values: "true, false",
		Default: "false",
		Idle:    []string{""},
		Note:    "passes the client's certificate to the endpoint in the header ssl-client-cert",
		read:    boolean(func(o *Options) *bool { return &o.ClientTLS.PassCertificate })},
	{Name: "auth-tls-error-page", Group: "mTLS", Support: Supported, With: "auth-tls-secret", Values: "an absolute URL, or a path",
		Idle: []string{""},
		Note: "the redirect target for clients without a valid certificate, in place of a 400", read: readTLSErrorPage},
}

func readMatchCN(o *Options, value string) error {
	if !strings.HasPrefix(strings.TrimPrefix(value, "^"), "CN=") {
		return fmt.Errorf("%q does not start with CN=", value)
	}
	if err := checkText(value); err != nil {
		return err
	}
	pattern, err := regexp.Compile(value)
	if err != nil {
		return fmt.Errorf("%q is not a valid RE2 regular expression (%w)", value, err)
	}
	o.ClientTLS.MatchCN = pattern
	return nil
}

func readTLSErrorPage(o *Options, value string) error {
	if err := checkLocation(value); err != nil {
		return fmt.Errorf("%q: %w", value, err)
	}
	o.ClientTLS.ErrorPage = value
	return nil
}
