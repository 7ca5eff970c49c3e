//go:build !unix

package relay

func (r *reader) receive() (buffer *[]byte, n int, err error) {
	r.raw = nil
	buffer, n, err = r.next()
	return buffer, n, err
}
