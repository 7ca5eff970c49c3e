package container_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// labImages returns images like the lab's: two programs, one of them with nine names.
func labImages(t testing.TB) map[string]v1.Image {
	t.Helper()
	const size = 10 << 20
	images := map[string]v1.Image{
		"controller:1": imageOf(t, v1.Config{}, layerOf(t, file{name: "controller", content: strings.Repeat("c", size)})),
	}
	program := layerOf(t, file{name: "workload", content: strings.Repeat("w", size)})
	for i := range 9 {
		link := layerOf(t, file{name: fmt.Sprint("app", i), link: "/workload", kind: '2'})
		images[fmt.Sprintf("app%d:1", i)] = imageOf(t, v1.Config{}, program, link)
	}
	return images
}

func BenchmarkImport(b *testing.B) {
	data := archive(b, labImages(b)).Bytes()
	for b.Loop() {
		if err := container.NewStore(b.TempDir()).Import(b.Context(), bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImages(b *testing.B) {
	s := container.NewStore(b.TempDir())
	imported(b, s, labImages(b))
	for b.Loop() {
		if has, err := s.Images(); err != nil || len(has) != 10 {
			b.Fatal(has, err)
		}
	}
}
