package workload_test

import (
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload"
)

func TestCheesePageNamesPod(t *testing.T) {
	app := newCheese(t, "stilton")
	for _, target := range []string{"/", "/stilton", "/deep/below"} {
		w := ask(app, "GET", target)
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("GET %s: %d %s", target, w.Code, w.Header().Get("Content-Type"))
		}
		for _, part := range []string{"<h1>Stilton</h1>", "<svg ", "pod-1", "lab-1", "worker", "example.com"} {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("GET %s: page lacks %q", target, part)
			}
		}
	}
}

func TestCheesePictureIsSVG(t *testing.T) {
	w := ask(newCheese(t, "cheddar"), "GET", "/cheese.svg")
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(w.Body.String(), "<svg ") {
		t.Errorf("%d %s %.20q..., want an SVG", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
}

// The failure controls of backends are ordinary paths of a cheese server.
func TestCheeseHasNoFailureControls(t *testing.T) {
	if w := ask(newCheese(t, "cheddar"), "GET", "/status/503"); w.Code != 200 {
		t.Errorf("GET /status/503: %d, want the page", w.Code)
	}
}

func TestNewCheeseRejectsUnknownName(t *testing.T) {
	_, err := workload.NewCheese("brie", someone)
	if err == nil || !strings.Contains(err.Error(), `"brie"`) || !strings.Contains(err.Error(), "cheddar, stilton, wensleydale") {
		t.Errorf("NewCheese(brie) = %v, want the names there are", err)
	}
}
