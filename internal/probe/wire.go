package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// wireRequest is a Request for the program in a pod.
type wireRequest struct {
	Method  string        `json:"method,omitempty"`
	URL     string        `json:"url"`
	Header  http.Header   `json:"header,omitempty"`
	Body    string        `json:"body,omitempty"`
	Follow  bool          `json:"follow,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
	Address string        `json:"address,omitempty"`
}

// wireObservation is the Observation that the program in the pod returns.
type wireObservation struct {
	Status    int           `json:"status,omitempty"`
	Proto     string        `json:"proto,omitempty"`
	Header    http.Header   `json:"header,omitempty"`
	Body      []byte        `json:"body,omitempty"`
	Truncated bool          `json:"truncated,omitempty"`
	Duration  time.Duration `json:"duration"`
	TLS       *TLS          `json:"tls,omitempty"`
	Error     string        `json:"error,omitempty"`
}

// Encode returns a request as text for Answers in a pod. The connection goes to address (host:port), or to the URL's host if address is
// empty. The text contains the cookies. A client certificate is an error.
func Encode(r Request, address string) (string, error) {
	if r.Certificate != nil {
		return "", errors.New("a request from a pod cannot have a client certificate")
	}
	wire := wireRequest{
		Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Body: r.Body, Follow: r.Follow, Timeout: r.Timeout, Address: address,
	}
	if r.Cookies != nil {
		u, err := url.Parse(r.URL)
		if err != nil {
			return "", err
		}
		for _, c := range r.Cookies.Cookies(u) {
			if wire.Header == nil {
				wire.Header = http.Header{}
			}
			wire.Header["Cookie"] = []string{strings.TrimPrefix(strings.Join(wire.Header["Cookie"], "; ")+"; "+c.Name+"="+c.Value, "; ")}
		}
	}
	data, err := json.Marshal(wire)
	return string(data), err
}

// Answers sends requests from Encode, one after the other, and writes a line with each observation to w, for Decode. It stops after a
// request without a response, because each timeout takes seconds. The error reports an invalid request or a failed write.
func Answers(ctx context.Context, requests []string, w io.Writer) error {
	for _, text := range requests {
		var wire wireRequest
		err := json.Unmarshal([]byte(text), &wire)
		switch {
		case err != nil:
			return fmt.Errorf("%s: not a request: %w", text, err)
		case wire.URL == "":
			return fmt.Errorf("%s: not a request: it has no url", text)
		}
		o := NewClient(Addresses{HTTP: wire.Address, HTTPS: wire.Address}).Do(ctx, Request{
			Method: wire.Method, URL: wire.URL, Header: wire.Header, Body: wire.Body, Follow: wire.Follow, Timeout: wire.Timeout,
		})
		back := wireObservation{
			Status: o.Status, Proto: o.Proto, Header: o.Header, Body: o.Body, Truncated: o.Truncated, Duration: o.Duration, TLS: o.TLS,
		}
		if o.Err != nil {
			back.Error = o.Err.Error()
		}
		if err := json.NewEncoder(w).Encode(back); err != nil {
			return err
		}
		if o.Err != nil {
			break
		}
	}
	return nil
}

// Decode returns the observation of a request from Answers. It stores the cookies of the response in the request's jar.
func Decode(r Request, data []byte) (Observation, error) {
	var wire wireObservation
	if err := json.Unmarshal(data, &wire); err != nil {
		return Observation{}, fmt.Errorf("not an observation: %w", err)
	}
	o := Observation{
		Method: cmp.Or(r.Method, http.MethodGet), URL: r.URL, Status: wire.Status, Proto: wire.Proto, Header: wire.Header, Body: wire.Body,
		Truncated: wire.Truncated, Duration: wire.Duration, TLS: wire.TLS,
		Served: servedBy(wire.Header), Reason: wire.Header.Get(HeaderReason),
	}
	if wire.Error != "" {
		o.Err = errors.New(wire.Error)
	}
	if u, err := url.Parse(r.URL); err == nil && r.Cookies != nil {
		r.Cookies.SetCookies(u, (&http.Response{Header: wire.Header}).Cookies())
	}
	return o, nil
}

// The port and path on which the net-test program receives requests to send, see Agent.
const (
	AgentPort = 7677
	AgentPath = "/probe"
	// AgentRequest is the query parameter with a request from Encode. It can occur several times.
	AgentRequest = "request"
)

// Agent returns the handler of a net-test pod. It sends the requests in the query as Answers does, and responds with 200 and the lines,
// or with 400 to an invalid request.
//
// A client that reaches the handler can make the pod send requests, as a user with permission to exec can.
func Agent() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+AgentPath, func(w http.ResponseWriter, r *http.Request) {
		requests := r.URL.Query()[AgentRequest]
		if len(requests) == 0 {
			http.Error(w, "the parameter "+AgentRequest+" is missing", http.StatusBadRequest)
			return
		}
		var lines bytes.Buffer
		if err := Answers(r.Context(), requests, &lines); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/jsonl")
		_, _ = w.Write(lines.Bytes()) // the client closed the connection
	})
	return mux
}
