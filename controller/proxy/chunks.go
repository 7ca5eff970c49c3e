package proxy

// startChunk begins a chunk of the chunked transfer coding (RFC 9112, 7.1). An error in a chunked
// body is detected too late to refuse that request, but net/http ends the request with an error.
// The violation applies to the next request, whose start is ambiguous.
func (f *framing) startChunk() {
	f.step, f.remaining, f.digits = atChunkSize, 0, 0
}

func (f *framing) failBody(violation string) {
	f.fail(violation)
	f.violationAt++
}

func (f *framing) chunk(c byte) {
	switch f.step {
	case atChunkSize:
		f.chunkSize(c)
	case inChunkExtension:
		switch c {
		case '\r':
			f.step = afterChunkSize
		case '\n':
			f.failBody("chunk size ends with a bare line feed (RFC 9112, 7.1)")
		}
	case afterChunkSize:
		switch {
		case c != '\n':
			f.failBody("carriage return without a line feed in a chunk size (RFC 9112, 7.1)")
		case f.remaining == 0:
			f.step = atTrailerField
		default:
			f.step = inChunk
		}
	case afterChunk:
		if f.step = afterChunkCR; c != '\r' {
			f.failBody("chunk is longer than its size (RFC 9112, 7.1)")
		}
	case afterChunkCR:
		if f.startChunk(); c != '\n' {
			f.failBody("chunk is longer than its size (RFC 9112, 7.1)")
		}
	}
}

// maxChunkDigits keeps the size of a chunk within an int64.
const maxChunkDigits = 15

func (f *framing) chunkSize(c byte) {
	digit := hexDigit(c)
	switch {
	case digit >= 0 && f.digits < maxChunkDigits:
		f.remaining = f.remaining<<4 | int64(digit)
		f.digits++
	case f.digits == 0 || digit >= 0:
		f.failBody("chunk size is not a number (RFC 9112, 7.1)")
	case c == '\r':
		f.step = afterChunkSize
	case c == ';' || c == ' ' || c == '\t':
		f.step = inChunkExtension
	default:
		f.failBody("chunk size is not a number (RFC 9112, 7.1)")
	}
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (f *framing) trailer(c byte) {
	switch {
	case f.step == afterTrailer || f.step == afterTrailerField:
		next := atTrailerField
		if f.step == afterTrailer {
			next = atRequest
		}
		if f.step = next; c != '\n' {
			f.failBody("carriage return without a line feed in a trailer (RFC 9112, 2.2)")
		}
	case c == '\n':
		f.failBody("trailer field ends with a bare line feed (RFC 9112, 2.2)")
	case c == '\r' && f.step == atTrailerField:
		f.step = afterTrailer
	case c == '\r':
		f.step = afterTrailerField
	default:
		f.step = inTrailerField
	}
}

// addName and addValue store names in lower case and values without surrounding white space.

func (l *line) addName(c byte) {
	if l.nameLen < len(l.name) {
		l.name[l.nameLen] = lower(c)
	}
	l.nameLen++
}

func (l *line) addValue(c byte) {
	if l.valueLen == 0 && (c == ' ' || c == '\t') {
		return
	}
	if l.valueLen < len(l.value) {
		l.value[l.valueLen] = lower(c)
	}
	l.valueLen++
}

// shift keeps the last bytes: the protocol version ends a request line.
func (l *line) shift(c byte) {
	copy(l.name[:], l.name[1:])
	l.name[len(l.name)-1] = c
}

func (l *line) endsWith(s string) bool { return string(l.name[len(l.name)-len(s):]) == s }

func (l *line) nameString() string {
	if l.nameLen > len(l.name) {
		return ""
	}
	return string(l.name[:l.nameLen])
}

// valueString returns the value. If the value exceeds the stored length, the result matches
// nothing.
func (l *line) valueString() string {
	if l.valueLen > len(l.value) {
		return ""
	}
	n := l.valueLen
	for n > 0 && (l.value[n-1] == ' ' || l.value[n-1] == '\t') {
		n--
	}
	return string(l.value[:n])
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
