package proxy

import "strconv"

// appendCombined writes a record in the format "combined", which log analyzers know:
//
//	$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
//
// https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format. Times are UTC, and the request is without its query, as
// it is in JSON: queries carry secrets.
func appendCombined(b []byte, r *Record) []byte {
	b = appendOrDash(b, r.Client)
	b = append(b, " - "...)
	b = appendOrDash(b, r.User)
	b = append(b, " ["...)
	b = r.Time.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendEscaped(b, r.Method)
	b = append(b, ' ')
	b = appendEscaped(b, r.Path)
	b = append(b, ' ')
	b = appendEscaped(b, r.Protocol)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.BytesOut, 10)
	b = append(b, ` "`...)
	b = appendOrDash(b, r.Referer)
	b = append(b, `" "`...)
	b = appendOrDash(b, r.UserAgent)
	return append(b, "\"\n"...)
}

func appendOrDash(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return appendEscaped(b, s)
}

// appendEscaped writes quotes, backslashes and what is not printable ASCII as \xXX, as nginx does: without it a client
// could write lines of its own into the log.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
