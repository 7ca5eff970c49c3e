package workload

import (
	"fmt"
	"math/rand/v2"
	"net/http"
)

// NewBackend returns a numbered web server. It responds with its number and port, and has controls that make it fail.
func NewBackend(number, port int, id Identity) (*App, error) {
	if number < 1 {
		return nil, fmt.Errorf("backend: number %d is less than 1", number)
	}
	text := fmt.Sprintf("This is Web Server %d running on %d!", number, port)
	greeting := func(w http.ResponseWriter, _ *http.Request) { sendText(w, http.StatusOK, text) }
	a := newApp(fmt.Sprintf("backend-%d", number), id, greeting)
	a.controls["slow"] = plain(slow(greeting))
	a.controls["status"] = status
	a.controls["fail"] = plain(fail(rand.Float64, greeting))
	a.controls["stream"] = plain(stream)
	a.controls["bytes"] = plain(sendBytes)
	a.controls["upgrade"] = plain(a.upgrade)
	a.controls["crash"] = plain(a.life.crash)
	return a, nil
}
