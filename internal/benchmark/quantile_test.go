package benchmark

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

func TestQuantilesOfSamples(t *testing.T) {
	var samples []time.Duration
	for _, i := range rand.Perm(100) {
		samples = append(samples, time.Duration(i+1)*time.Millisecond)
	}
	want := Quantiles{Count: 100, Mean: 0.0505, P50: 0.050, P90: 0.090, P99: 0.099, Max: 0.100}
	if got := quantilesOf(samples); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := quantilesOf([]time.Duration{time.Second}); got != (Quantiles{1, 1, 1, 1, 1, 1}) {
		t.Errorf("one sample: %+v", got)
	}
	if got := quantilesOf(nil); got != (Quantiles{}) {
		t.Errorf("no samples: %+v", got)
	}
}

// histogram counts like Prometheus: each bucket has all samples up to its bound, and the last has no bound.
func histogram(samples ...float64) *dto.Histogram {
	h := &dto.Histogram{SampleCount: new(uint64(len(samples))), SampleSum: new(float64)}
	for _, bound := range []float64{1, 2, 4, math.Inf(1)} {
		var n uint64
		for _, s := range samples {
			if s <= bound {
				n++
			}
		}
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: &n})
	}
	for _, s := range samples {
		*h.SampleSum += s
	}
	return h
}

func TestQuantilesBetweenHistogramReadings(t *testing.T) {
	before := []float64{0.5, 0.5, 3}
	after := append([]float64{1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 3}, before...)
	got := quantilesBetween(histogram(before...), histogram(after...))
	if got.Count != 10 || math.Abs(got.Mean-1.65) > 1e-9 {
		t.Errorf("got %+v, want the ten new ones, 1.65 on average", got)
	}
	if got.P50 < 1 || got.P50 > 2 || got.P90 < 1 || got.P90 > 2 || got.P99 < 2 || got.Max != 4 {
		t.Errorf("got %+v, which is not within the buckets of the samples", got)
	}
	if beyond := quantilesBetween(nil, histogram(100)); beyond.P50 != 4 || beyond.Max != 4 {
		t.Errorf("beyond the last bound: %+v", beyond)
	}
	if none := quantilesBetween(histogram(1), histogram(1)); none != (Quantiles{}) {
		t.Errorf("nothing new: %+v", none)
	}
}
