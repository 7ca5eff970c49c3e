package probe

import (
	"bytes"
	"net/http"
)

// Where a pod that can ask is itself asked to: the net-test program listens there, see Agent. Nothing depends on the number but that
// nobody else in such a pod listens on it.
const (
	AgentPort = 7677
	AgentPath = "/probe"
	// AgentRequest is the parameter, given once for each request, that has a request as Encode writes it.
	AgentRequest = "request"
)

// Agent returns what a pod that can ask serves: it does with the requests of a query as Answers does, and answers 200 with its lines.
// Anything that is no request is answered 400.
//
// Whoever reaches it may have it send requests. So may whoever can exec into the pod, and the pods are a lab's.
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
		_, _ = w.Write(lines.Bytes()) // nobody to tell
	})
	return mux
}
