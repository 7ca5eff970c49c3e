package benchmark

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ingresslab/ingresslab/internal/text"
)

// Report is what a simulation came to. Durations are in seconds, sizes in bytes, CPU in seconds of one processor for a second.
type Report struct {
	Size
	// DurationSeconds is how long endpoints were changed.
	DurationSeconds float64 `json:"durationSeconds"`
	// Cluster is its name, CPUs the processors that everything shared, Controllers how many of them had the whole load.
	Cluster     string `json:"cluster"`
	CPUs        int    `json:"cpus"`
	Controllers int    `json:"controllers"`
	// FillSeconds is how long it took to make everything, until all of it was Ready and published.
	FillSeconds float64 `json:"fillSeconds"`
	// Routes is how many routes the controller's table had.
	Routes int `json:"routes"`
	// Sync is the start of a controller in the full cluster.
	Sync Sync `json:"initialSync"`
	// AfterSync, AfterRest and AfterChurn are the memory of that controller.
	AfterSync  Memory `json:"memoryAfterSync"`
	AfterRest  Memory `json:"memoryAfterRest"`
	AfterChurn Memory `json:"memoryAfterChurn"`
	// IdleCPU is while nothing changes, ChurnCPU while endpoints do.
	IdleCPU  float64 `json:"cpuAtRest"`
	ChurnCPU float64 `json:"cpuInChurn"`
	// Build is how long the tables took that were built during churn.
	Build Quantiles `json:"tableBuild"`
	// Propagation is how fast endpoint changes reached clients.
	Propagation Propagation `json:"propagation"`
}

// Memory is that of a process: resident, and what of it Go's heap has in use.
type Memory struct {
	RSS  float64 `json:"rssBytes"`
	Heap float64 `json:"heapBytes"`
}

func (r reading) memory() Memory { return Memory{r.rss, r.heap} }

// cpuBetween is how much of one processor a process had between two readings.
func cpuBetween(before, after reading) float64 {
	return (after.cpu - before.cpu) / after.at.Sub(before.at).Seconds()
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // t keeps the error for Flush
	row("cluster", fmt.Sprintf("%d Ingresses, %d Services, %d pods, made in %.0f s; %s on %s",
		r.Ingresses, r.Services, r.Pods, r.FillSeconds, text.Count(r.Controllers, "controller"), text.Count(r.CPUs, "CPU")))
	row("initial sync", fmt.Sprintf("%s to the first request, %s until Ready; %d routes", duration(r.Sync.FirstRequest), duration(r.Sync.Ready), r.Routes))
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
		row(line.name, duration(line.q.P50), duration(line.q.P90), duration(line.q.P99), duration(line.q.Max), duration(line.q.Mean), fmt.Sprint(line.q.Count))
	}
	return t.Flush()
}

// trouble says what did not go as planned.
func (r *Report) trouble() string {
	var parts []string
	p := r.Propagation
	if p.Missed > 0 {
		parts = append(parts, fmt.Sprintf("%d left out, the cluster could not keep up", p.Missed))
	}
	if p.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed, the first: %s", p.Failed, p.Failure))
	}
	if p.Errors > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d requests were not served", p.Errors, p.Requests))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// duration writes seconds with three digits that mean something.
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
