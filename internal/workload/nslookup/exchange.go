package nslookup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// errNoAnswer is what a silent server gets.
var errNoAnswer = errors.New("no answer in time")

// exchange asks one server one question, over UDP, and over TCP if the answer did not fit: RFC 1035,
// section 4.2.
func (c *config) exchange(ctx context.Context, server, name string, kind dnsmessage.Type) (dnsmessage.Message, error) {
	full, err := dnsmessage.NewName(name)
	if err != nil {
		return dnsmessage.Message{}, fmt.Errorf("name %q: %w", name, err)
	}
	question := dnsmessage.Question{Name: full, Type: kind, Class: dnsmessage.ClassINET}
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{question},
	}
	packed, err := query.Pack()
	if err != nil {
		return dnsmessage.Message{}, fmt.Errorf("name %q: %w", name, err)
	}
	for range c.tries {
		var answer dnsmessage.Message
		answer, err = c.ask(ctx, "udp", server, packed, query)
		if err == nil && answer.Truncated {
			answer, err = c.ask(ctx, "tcp", server, packed, query)
		}
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
	}
	return dnsmessage.Message{}, err
}

func (c *config) ask(ctx context.Context, network, server string, packed []byte, query dnsmessage.Message) (dnsmessage.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return dnsmessage.Message{}, err
	}
	defer func() { _ = conn.Close() }() // the answer is read, or has failed
	// Waiting ends with ctx, be it by time or by a signal.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer, err := converse(conn, network == "tcp", packed, query)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = errNoAnswer
	}
	return answer, err
}

func converse(conn net.Conn, stream bool, packed []byte, query dnsmessage.Message) (dnsmessage.Message, error) {
	if stream { // RFC 1035, section 4.2.2: two bytes of length before each message
		packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	}
	if _, err := conn.Write(packed); err != nil {
		return dnsmessage.Message{}, err
	}
	for {
		data, err := receive(conn, stream)
		if err != nil {
			return dnsmessage.Message{}, err
		}
		var answer dnsmessage.Message
		if err := answer.Unpack(data); err != nil {
			return dnsmessage.Message{}, fmt.Errorf("answer from %s: %w", conn.RemoteAddr(), err)
		}
		// A late answer to an earlier question is not ours.
		if answer.ID == query.ID && answer.Response && len(answer.Questions) == 1 && sameQuestion(answer.Questions[0], query.Questions[0]) {
			return answer, nil
		}
		if stream {
			return dnsmessage.Message{}, fmt.Errorf("answer from %s: belongs to another question", conn.RemoteAddr())
		}
	}
}

func receive(conn net.Conn, stream bool) ([]byte, error) {
	if !stream {
		buffer := make([]byte, 65535)
		n, err := conn.Read(buffer)
		return buffer[:n], err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	data := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(conn, data)
	return data, err
}
