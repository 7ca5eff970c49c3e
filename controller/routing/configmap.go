package routing

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// readSettings reads the controller's ConfigMap. A missing ConfigMap is no Problem: every setting
// has a default, and you can create the ConfigMap later.
func (b *builder) readSettings(name types.NamespacedName) {
	b.settings = annotations.DefaultSettings()
	if name.Name == "" {
		return
	}
	object, missing := b.references.configMaps.get(name)
	if missing != nil {
		if missing.loading {
			// The settings might contain an allowlist for all routes.
			b.settings.Options.Blocked = "the controller's settings are being loaded"
		}
		return
	}
	settings, faults := annotations.ParseSettings(object.Data)
	b.settings = settings
	for _, f := range faults {
		b.found.add(refOf("ConfigMap", object), "data["+f.Name+"]", reported(f))
	}
}

// findResponseHeaders reads the ConfigMap of custom-headers. It skips an invalid header and sets
// the others.
func (b *builder) findResponseHeaders(ing *ingress, p *Policy) {
	if p.Rewrite.CustomHeaders == "" {
		return
	}
	const field = "metadata.annotations[" + annotations.Prefix + "custom-headers]"
	object, missing := b.configMap(ing.Namespace, p.Rewrite.CustomHeaders)
	if missing != nil {
		if !missing.loading {
			b.found.add(ing.ref, field, missing.reason.so("responses do not get its headers"))
		}
		return
	}
	headers, faults := readHeaders(object, forbiddenInResponse)
	for _, f := range faults {
		b.found.add(ing.ref, field, Because(HeadersInvalid, "text", f).so("it is left out"))
	}
	p.ResponseHeaders = make(http.Header, len(headers))
	for name, value := range headers {
		p.ResponseHeaders[name] = []string{value}
	}
}

// findAuthHeaders reads the ConfigMap of auth-proxy-set-headers. The external service might base
// its decision on any of these headers, so an invalid header blocks the routes.
func (b *builder) findAuthHeaders(ing *ingress, p *Policy) {
	if p.Auth.ProxySetHeaders == "" || p.Auth.URL.IsZero() {
		return
	}
	const annotation = annotations.Prefix + "auth-proxy-set-headers"
	object, missing := b.configMap(ing.Namespace, p.Auth.ProxySetHeaders)
	if missing != nil {
		b.lack(ing, p, annotation, missing)
		return
	}
	headers, faults := readHeaders(object, forbiddenInRequest)
	p.AuthHeaders = make(map[string]annotations.Template, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		template, err := annotations.ParseTemplate(headers[name])
		if err != nil {
			faults = append(faults, fmt.Sprintf("configmap %q: header %s: %v", object.Name, name, err))
			continue
		}
		p.AuthHeaders[name] = template
	}
	if len(faults) > 0 {
		b.lack(ing, p, annotation, &lack{reason: Because(HeadersInvalid, "text", strings.Join(faults, "; "))})
	}
}

// A ConfigMap cannot set these headers, because they delimit a message or belong to one connection
// (RFC 9110, sections 7.6.1 and 8.6). With them, two programs could disagree about where a message
// ends.
var (
	framing = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding",
		"Upgrade"}
	forbiddenInResponse = framing
	forbiddenInRequest  = append(slices.Clone(framing), "Host", "Expect")
)

// readHeaders reads a ConfigMap whose keys are header names. Faults are sentences.
func readHeaders(object *corev1.ConfigMap, forbidden []string) (headers map[string]string, faults []string) {
	headers = make(map[string]string, len(object.Data))
	for _, key := range slices.Sorted(maps.Keys(object.Data)) {
		name, value := textproto.CanonicalMIMEHeaderKey(key), strings.TrimSpace(object.Data[key])
		switch {
		case !isToken(key):
			faults = append(faults, fmt.Sprintf("configmap %q: %q is not a header name", object.Name, key))
		case slices.Contains(forbidden, name):
			faults = append(faults, fmt.Sprintf("configmap %q: header %s belongs to the connection and cannot be set", object.Name, name))
		case !isFieldValue(value):
			faults = append(faults, fmt.Sprintf("configmap %q: the value of header %s has a line break or another control character", object.Name,
				name))
		default:
			headers[name] = value
		}
	}
	return headers, faults
}

// isToken reports whether s is a token, as header names are (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s is a valid header value. A value with a line break would become
// two headers (RFC 9110, section 5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
