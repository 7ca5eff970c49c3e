package probe

import (
	"bytes"
	"net/http"
)

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
