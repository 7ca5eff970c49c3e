package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NewSeed draws a seed for a run: small enough to be typed, never 0.
func NewSeed() uint64 { return 1 + rand.Uint64N(1_000_000_000) }

// draws returns what draws for one purpose: the same numbers for the same seed, and others for another purpose, so that
// one that draws more often changes nothing for the others.
func draws(seed uint64, purpose string) *rand.Rand {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(purpose+"\x00"), seed))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
}

// freeRunID draws names until there is one whose namespace does not exist: with the same seed, the run before may have
// left its own.
func freeRunID(ctx context.Context, s *Scenario, env Env, from *rand.Rand) string {
	for {
		run := newRunID(from)
		_, err := env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, newIsolation(s, run).namespace, metav1.GetOptions{})
		if err != nil { // not found; any other error appears when the run creates the namespace
			return run
		}
	}
}

// newRunID draws five letters and digits, a letter first, that are hard to take for one another.
func newRunID(from *rand.Rand) string {
	const letters, others = "bcdfghkmnpqrstvwxz", "bcdfghkmnpqrstvwxz2456789"
	id := []byte{letters[from.IntN(len(letters))]}
	for range 4 {
		id = append(id, others[from.IntN(len(others))])
	}
	return string(id)
}
