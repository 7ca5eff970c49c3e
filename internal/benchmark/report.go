package benchmark

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/ingresslab/ingresslab/internal/text"
)

// Report is the result of a benchmark. Durations are in seconds, sizes in bytes, and CPU in processor seconds per second.
type Report struct {
	Size
	DurationSeconds float64 `json:"durationSeconds"` // of the churn
	// Cluster is the cluster name. CPUs counts the processors of the machine, and Controllers the controllers, each under full load.
	Cluster     string  `json:"cluster"`
	CPUs        int     `json:"cpus"`
	Controllers int     `json:"controllers"`
	FillSeconds float64 `json:"fillSeconds"` // until all objects existed and were Ready
	Routes      int     `json:"routes"`      // in the controller's table
	Sync        Sync    `json:"initialSync"` // the start time of a controller in the full cluster
	// AfterSync, AfterRest, and AfterChurn are the memory of the controller in Sync.
	AfterSync  Memory `json:"memoryAfterSync"`
	AfterRest  Memory `json:"memoryAfterRest"`
	AfterChurn Memory `json:"memoryAfterChurn"`
	// IdleCPU is the CPU usage without changes, ChurnCPU that during the churn.
	IdleCPU     float64     `json:"cpuAtRest"`
	ChurnCPU    float64     `json:"cpuInChurn"`
	Build       Quantiles   `json:"tableBuild"`  // the time to build a table during the churn
	Propagation Propagation `json:"propagation"` // the time until clients saw endpoint changes
}

// Memory is a process's resident memory, and the part that Go's heap uses.
type Memory struct {
	RSS  float64 `json:"rssBytes"`
	Heap float64 `json:"heapBytes"`
}

func (r reading) memory() Memory { return Memory{r.rss, r.heap} }

// cpuBetween returns the CPU usage between two readings, in processor seconds per second.
func cpuBetween(before, after reading) float64 {
	return (after.cpu - before.cpu) / after.at.Sub(before.at).Seconds()
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteTable writes the report as a table.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush returns the error
	row("cluster", fmt.Sprintf("%d Ingresses, %d Services, %d pods, created in %.0f s; %s on %s",
		r.Ingresses, r.Services, r.Pods, r.FillSeconds, text.Count(r.Controllers, "controller"), text.Count(r.CPUs, "CPU")))
	row("initial sync", fmt.Sprintf("%s to the first request, %s until Ready; %d routes",
		duration(r.Sync.FirstRequest), duration(r.Sync.Ready), r.Routes))
	row("memory", fmt.Sprintf("%s after the sync (Go heap %s)", bytesText(r.AfterSync.RSS), bytesText(r.AfterSync.Heap)))
	row("CPU at rest", fmt.Sprintf("%.3f s/s", r.IdleCPU))
	if r.Churn == 0 {
		return t.Flush()
	}
	p := r.Propagation
	row("churn", fmt.Sprintf("%.1f pods replaced a second for %s%s", p.Rate, r.Duration, r.trouble()))
	row("memory in churn", fmt.Sprintf("%s (Go heap %s)", bytesText(r.AfterChurn.RSS), bytesText(r.AfterChurn.Heap)))
	row("CPU in churn", fmt.Sprintf("%.3f s/s", r.ChurnCPU))
	row("")
	row("", "p50", "p90", "p99", "max", "mean", "of")
	for _, line := range []struct {
		name string
		q    Quantiles
	}{
		{"table build", r.Build},
		{"pod created, first request served", p.Total},
		{"  pod created, Ready", p.Ready},
		{"  Ready, in an EndpointSlice", p.Listed},
		{"  in an EndpointSlice, first request served", p.Published},
	} {
		q := line.q
		row(line.name, duration(q.P50), duration(q.P90), duration(q.P99), duration(q.Max), duration(q.Mean), fmt.Sprint(q.Count))
	}
	return t.Flush()
}

// trouble lists skipped and failed changes.
func (r *Report) trouble() string {
	var parts []string
	p := r.Propagation
	if p.Missed > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped, because the cluster could not keep up", p.Missed))
	}
	if p.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed, first error: %s", p.Failed, p.Failure))
	}
	if p.Errors > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d requests failed", p.Errors, p.Requests))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// duration formats seconds with three significant digits.
func duration(seconds float64) string {
	switch {
	case seconds >= 1:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds >= 0.1:
		return fmt.Sprintf("%.0f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.1f ms", seconds*1e3)
}

func bytesText(n float64) string { return fmt.Sprintf("%.0f MB", n/1e6) }

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
