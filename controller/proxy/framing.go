package proxy

import (
	"bytes"
	"strconv"
)

// framing checks an HTTP/1 connection for requests whose start, end or header two programs could
// parse differently: request smuggling (RFC 9112, 11.2). net/http accepts and repairs some of them
// before a handler runs, so the check reads the raw bytes. It never changes a byte.
//
// It is a state machine over bytes, because a read can return any part of the stream. It doesn't
// check lines that net/http refuses itself.
type framing struct {
	step     step
	requests int // requests whose first byte was read

	violation   string // empty until the first violation, which stops the machine
	violationAt int    // number of the request that the violation makes ambiguous, from 1

	line      line
	watched   bool // the value of this field affects where the request ends
	http10    bool
	lengths   int // Content-Length fields in this header
	encodings int // Transfer-Encoding fields in this header
	remaining int64
	digits    int // digits of the chunk size so far
}

// step is the part of the message that the next byte belongs to.
type step int

const (
	atRequest step = iota
	inRequestLine
	afterRequestLine
	atField
	inName
	inValue
	afterField
	afterHeader
	inBody
	atChunkSize
	inChunkExtension
	afterChunkSize
	inChunk
	afterChunk
	afterChunkCR
	atTrailerField
	inTrailerField
	afterTrailerField
	afterTrailer
	stopped
)

// line is the part of a header field, or of the end of a request line, that the checks need.
type line struct {
	name  [20]byte
	value [24]byte
	// nameLen and valueLen are the true lengths, which can exceed the stored lengths.
	nameLen, valueLen int
}

// feed processes the next bytes of the connection.
func (f *framing) feed(p []byte) {
	for i := 0; i < len(p) && f.step != stopped; {
		if f.step == inBody || f.step == inChunk {
			n := min(int64(len(p)-i), f.remaining)
			f.remaining -= n
			i += int(n)
			if f.remaining == 0 && f.step == inBody {
				f.step = atRequest
			} else if f.remaining == 0 {
				f.step = afterChunk
			}
			continue
		}
		if f.step == inValue && !f.watched {
			i += plainValue(p[i:])
			if i == len(p) {
				return
			}
		}
		f.next(p[i])
		i++
	}
}

// plainValue returns the number of bytes to skip inside an unchecked field value: all bytes before
// the first one that can end the value. Most of a header is skipped this way.
func plainValue(p []byte) int {
	if end := bytes.IndexByte(p, '\r'); end >= 0 {
		p = p[:end]
	}
	if bytes.IndexByte(p, '\n') >= 0 || bytes.IndexByte(p, 0) >= 0 {
		return 0 // it contains a violation, so check byte by byte
	}
	return len(p)
}

// next processes one byte outside a body.
func (f *framing) next(c byte) {
	switch {
	case f.step <= afterRequestLine:
		f.requestLine(c)
	case f.step <= afterHeader:
		f.field(c)
	case f.step <= afterChunkCR:
		f.chunk(c)
	default:
		f.trailer(c)
	}
}

func (f *framing) fail(violation string) {
	f.violation, f.violationAt, f.step = violation, f.requests, stopped
}

func (f *framing) requestLine(c byte) {
	switch {
	case f.step == afterRequestLine:
		f.newline(c, atField)
	case f.step == atRequest:
		f.requests++
		f.lengths, f.encodings, f.remaining = 0, 0, 0
		f.line = line{}
		f.step = inRequestLine
		f.requestLine(c)
	case c == '\n':
		f.fail("request line ends with a bare line feed (RFC 9112, 2.2)")
	case c == '\r':
		f.http10 = f.line.endsWith("HTTP/1.0")
		f.step = afterRequestLine
	default:
		f.line.shift(c)
	}
}

// newline requires the line feed after a carriage return.
func (f *framing) newline(c byte, next step) {
	if c != '\n' {
		f.fail("carriage return without a line feed (RFC 9112, 2.2)")
		return
	}
	f.step = next
}

func (f *framing) field(c byte) {
	switch f.step {
	case atField:
		f.line = line{}
		switch c {
		case '\r':
			f.step = afterHeader
		case ' ', '\t':
			f.fail("header field is folded over multiple lines (RFC 9112, 5.2)")
		default:
			f.step = inName
			f.name(c)
		}
	case inName:
		f.name(c)
	case inValue:
		f.value(c)
	case afterField:
		if f.newline(c, atField); f.step == atField {
			f.endOfField()
		}
	case afterHeader:
		if f.newline(c, atRequest); f.step == atRequest {
			f.endOfHeader()
		}
	}
}

func (f *framing) name(c byte) {
	switch c {
	case ':':
		f.step = inValue
		name := f.line.nameString()
		f.watched = name == "content-length" || name == "transfer-encoding"
		if name == "" && f.line.nameLen == 0 {
			f.fail("header field without a name")
		}
	case ' ', '\t':
		f.fail("white space in or after a header field's name (RFC 9112, 5.1)")
	case '\r', '\n':
		f.fail("header line without a colon")
	default:
		f.line.addName(c)
	}
}

func (f *framing) value(c byte) {
	switch c {
	case '\r':
		f.step = afterField
	case '\n':
		f.fail("header field ends with a bare line feed (RFC 9112, 2.2)")
	case 0:
		f.fail("header field contains a NUL byte (RFC 9110, 5.5)")
	default:
		f.line.addValue(c)
	}
}

func (f *framing) endOfField() {
	switch f.line.nameString() {
	case "content-length":
		f.lengths++
		n, err := strconv.ParseUint(f.line.valueString(), 10, 63)
		if err != nil {
			f.fail("Content-Length is not a number (RFC 9112, 6.3)")
			return
		}
		f.remaining = int64(n)
	case "transfer-encoding":
		f.encodings++
		if f.line.valueString() != "chunked" {
			f.fail("Transfer-Encoding is not exactly \"chunked\" (RFC 9112, 6.1)")
		}
	}
}

func (f *framing) endOfHeader() {
	switch {
	case f.lengths > 0 && f.encodings > 0:
		f.fail("both Content-Length and Transfer-Encoding (RFC 9112, 6.1)")
	case f.lengths > 1:
		f.fail("more than one Content-Length (RFC 9112, 6.3)")
	case f.encodings > 1:
		f.fail("more than one Transfer-Encoding (RFC 9112, 6.1)")
	case f.encodings > 0 && f.http10:
		f.fail("Transfer-Encoding in an HTTP/1.0 request (RFC 9112, 6.1)")
	case f.encodings > 0:
		f.startChunk()
	case f.remaining > 0:
		f.step = inBody
	}
}
