package benchmark

import (
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// Quantiles summarize durations in seconds. Without samples, all fields are zero.
type Quantiles struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// quantilesOf summarizes samples with the nearest-rank method.
func quantilesOf(samples []time.Duration) Quantiles {
	if len(samples) == 0 {
		return Quantiles{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	var sum time.Duration
	for _, s := range sorted {
		sum += s
	}
	rank := func(q float64) float64 {
		return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)].Seconds()
	}
	return Quantiles{
		Count: len(sorted), Mean: (sum / time.Duration(len(sorted))).Seconds(),
		P50: rank(0.5), P90: rank(0.9), P99: rank(0.99), Max: rank(1),
	}
}

// quantilesBetween summarizes the samples of a Prometheus histogram between two readings. A quantile is interpolated within its
// bucket. The maximum is the upper bound of the last bucket with samples.
func quantilesBetween(before, after *dto.Histogram) Quantiles {
	count := after.GetSampleCount() - before.GetSampleCount()
	if count == 0 {
		return Quantiles{}
	}
	earlier := map[float64]uint64{}
	for _, b := range before.GetBucket() {
		earlier[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	var bounds []float64
	var cumulative []uint64
	for _, b := range after.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) {
			bounds = append(bounds, b.GetUpperBound())
			cumulative = append(cumulative, b.GetCumulativeCount()-earlier[b.GetUpperBound()])
		}
	}
	within := func(q float64) float64 { return bucketQuantile(q*float64(count), bounds, cumulative) }
	return Quantiles{
		Count: int(count), Mean: (after.GetSampleSum() - before.GetSampleSum()) / float64(count),
		P50: within(0.5), P90: within(0.9), P99: within(0.99), Max: within(1),
	}
}

// bucketQuantile returns the value below which there are rank samples, or the last bound if the value exceeds it.
func bucketQuantile(rank float64, bounds []float64, cumulative []uint64) float64 {
	lower, below := 0.0, uint64(0)
	for i, bound := range bounds {
		if in := cumulative[i] - below; in > 0 && float64(cumulative[i]) >= rank {
			return lower + (bound-lower)*(rank-float64(below))/float64(in)
		}
		lower, below = bound, cumulative[i]
	}
	return lower
}
