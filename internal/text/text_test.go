package text_test

import (
	"testing"

	"github.com/ingresslab/ingresslab/internal/text"
)

func TestCountFormsPlural(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0 pods":      text.Count(0, "pod"),
		"1 pod":       text.Count(1, "pod"),
		"3 pods":      text.Count(3, "pod"),
		"1 ingress":   text.Count(1, "ingress"),
		"2 ingresses": text.Count(2, "ingress"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
