package workload

import (
	"fmt"
	"math/rand/v2"
	"net/http"
)

// NewBackend makes the numbered web server that path and host routing are practiced on. It greets
// with its number and the port it was told to listen on, and can be told to misbehave.
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
