package proxy_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/ingresslab/ingresslab/controller/proxy"
)

// rawHTTP2 is an HTTP/2 client that sends any header.
type rawHTTP2 struct {
	t      *testing.T
	framer *http2.Framer
	stream uint32
}

func newRawHTTP2(t *testing.T, r *rig) *rawHTTP2 {
	t.Helper()
	conn := r.dialHTTP2()
	c := &rawHTTP2{t: t, framer: http2.NewFramer(conn, conn), stream: 1}
	const tableSize = 4096 // RFC 7541, and RFC 9113, 6.5.2
	c.framer.ReadMetaHeaders = hpack.NewDecoder(tableSize, nil)
	if err := c.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends fields, each as "name = value", and returns the status of the response, or "reset" for
// a reset stream or connection. The stream ends with the header, or with an empty DATA frame.
func (c *rawHTTP2) ask(endsWithData bool, fields ...string) string {
	c.t.Helper()
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, " = ")
		_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) // a strings.Builder returns no errors
	}
	stream := c.stream
	c.stream += 2
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: !endsWithData,
	})
	if err == nil && endsWithData {
		err = c.framer.WriteData(stream, true, nil)
	}
	for err == nil {
		var frame http2.Frame
		if frame, err = c.framer.ReadFrame(); err != nil || frame.Header().StreamID != stream {
			continue
		}
		switch f := frame.(type) {
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		}
	}
	return "reset"
}

// plain is the header of a valid request.
var plain = []string{":method = GET", ":scheme = https", ":path = /", ":authority = " + host}

func TestMalformedHTTP2RequestsAreRefused(t *testing.T) {
	tests := map[string]struct {
		fields       []string
		endsWithData bool
		want         string
	}{
		"valid":                      {plain, false, "200"},
		"valid, empty DATA frame":    {append(plain[:4:4], "content-length = 0"), true, "200"},
		"the host twice":             {append(plain[:4:4], "host = SHOP.test"), false, "200"},
		"a host and no authority":    {append(plain[:3:3], "host = "+host), false, "200"},
		"two hosts":                  {append(plain[:4:4], "host = other.test"), false, "400"},
		"two hosts and no authority": {append(plain[:3:3], "host = "+host, "host = other.test"), false, "400"},
		"a user in the authority":    {append(plain[:3:3], ":authority = me@"+host), false, "reset"},
		"a whole URL":                {append(plain[:2:2], ":path = http://shop.test/x", plain[3]), false, "400"},
		"a path without a slash":     {append(plain[:2:2], ":path = x", plain[3]), false, "reset"},
		"two paths":                  {append(plain[:4:4], ":path = /x"), false, "reset"},
		"a method of two words":      {append([]string{":method = GET /x"}, plain[1:]...), false, "400"},
		"missing body":               {append(plain[:4:4], "content-length = 5"), false, "400"},
		"two lengths":                {append(plain[:4:4], "content-length = 0", "content-length = 5"), true, "400"},
		"a negative length":          {append(plain[:4:4], "content-length = -1"), true, "400"},
		"hop-by-hop field":           {append(plain[:4:4], "connection = x-real-ip"), false, "400"},
		"another encoding":           {append(plain[:4:4], "transfer-encoding = chunked"), false, "400"},
		"an upgrade":                 {append(plain[:4:4], "upgrade = websocket"), false, "400"},
		"a name in upper case":       {append(plain[:4:4], "X-A = b"), false, "reset"},
		"a line break":               {append(plain[:4:4], "x-a = b\r\nx-real-ip: 6.6.6.6"), false, "reset"},
		"a pseudo-header of its own": {append(plain[:4:4], ":x-a = b"), false, "reset"},
		"a pseudo-header of a reply": {append(plain[:4:4], ":status = 200"), false, "reset"},
		"a pseudo-header at the end": {append(plain[:3:3], "x-a = b", plain[3]), false, "reset"},
		"CONNECT":                    {[]string{":method = CONNECT", plain[3]}, false, "405"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, proxy.Options{})
			reached := spy(r)
			if status := newRawHTTP2(t, r).ask(test.endsWithData, test.fields...); status != test.want {
				t.Errorf("status %s, want %s", status, test.want)
			}
			if len(reached) > 0 && test.want != "200" {
				t.Error("the header reached the pod")
			}
		})
	}
}
