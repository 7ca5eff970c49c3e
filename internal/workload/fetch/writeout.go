package fetch

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// writeOut fills in curl's -w format: %{variable}, %%, \n, \r and \t. As with curl, an unknown
// variable prints nothing but is warned about.
// https://curl.se/docs/manpage.html#-w
func writeOut(format string, o *outcome) (text string, unknown []string) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		rest := format[i:]
		end := strings.IndexByte(rest, '}')
		switch {
		case strings.HasPrefix(rest, "%{") && end > 0:
			name := rest[2:end]
			value, known := o.variable(name)
			if !known {
				unknown = append(unknown, name)
			}
			b.WriteString(value)
			i += end
		case strings.HasPrefix(rest, "%%"):
			b.WriteByte('%')
			i++
		case strings.HasPrefix(rest, `\n`), strings.HasPrefix(rest, `\r`), strings.HasPrefix(rest, `\t`):
			b.WriteByte(map[byte]byte{'n': '\n', 'r': '\r', 't': '\t'}[rest[1]])
			i++
		default:
			b.WriteByte(rest[0])
		}
	}
	return b.String(), unknown
}

// variable is what %{name} stands for.
func (o *outcome) variable(name string) (value string, known bool) {
	switch name {
	case "http_code", "response_code":
		return fmt.Sprintf("%03d", o.status), true
	case "http_version":
		return strings.TrimSuffix(strings.TrimPrefix(o.proto, "HTTP/"), ".0"), true
	case "content_type":
		return o.header.Get("Content-Type"), true
	case "size_download":
		return strconv.FormatInt(o.size, 10), true
	case "num_redirects":
		return strconv.Itoa(o.redirects), true
	case "redirect_url":
		return o.location, true
	case "url_effective":
		return o.asked, true
	case "remote_ip", "remote_port":
		return hostOrPort(o.remote, name == "remote_ip"), true
	case "local_ip", "local_port":
		return hostOrPort(o.local, name == "local_ip"), true
	case "time_connect":
		return seconds(o.connected), true
	case "time_starttransfer":
		return seconds(o.first), true
	case "time_total":
		return seconds(o.took), true
	case "exitcode":
		return strconv.Itoa(codeOf(o.err)), true
	case "errormsg":
		if o.err != nil {
			return o.err.Error(), true
		}
		return "", true
	}
	return "", false
}

func hostOrPort(address string, wantHost bool) string {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return ""
	case wantHost:
		return host
	}
	return port
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 6, 64)
}
