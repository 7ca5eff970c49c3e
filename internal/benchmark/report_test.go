package benchmark

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var full = Report{
	Size:    Size{Ingresses: 10000, Pods: 20000, Services: 10000, Churn: 10, Duration: time.Minute},
	Cluster: "lab", CPUs: 2, Controllers: 1, FillSeconds: 123.4, Routes: 10000,
	Sync:      Sync{FirstRequest: 1.234, Ready: 2.5},
	AfterSync: Memory{200e6, 120e6}, AfterChurn: Memory{300e6, 150e6}, IdleCPU: 0.012, ChurnCPU: 0.5,
	Build:       Quantiles{Count: 500, Mean: 0.02, P50: 0.015, P90: 0.03, P99: 0.05, Max: 0.06},
	Propagation: Propagation{Total: Quantiles{Count: 600, P50: 0.12, P90: 0.2, P99: 1.5, Max: 2}, Rate: 10},
}

func TestTableListsMeasurements(t *testing.T) {
	var out strings.Builder
	if err := full.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cluster          10000 Ingresses, 10000 Services, 20000 pods, created in 123 s; 1 controller on 2 CPUs",
		"initial sync     1.23 s to the first request, 2.50 s until Ready; 10000 routes",
		"memory           200 MB after the sync (Go heap 120 MB)",
		"churn            10.0 pods replaced a second for 1m0s\n",
		"CPU in churn     0.500 s/s",
		"table build                                  15.0 ms",
		"pod created, first request served            120 ms",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if line != strings.TrimRight(line, " \n")+"\n" {
			t.Errorf("blanks at the end of %q", line)
		}
	}
}

func TestTableListsFailures(t *testing.T) {
	r := full
	r.Propagation.Missed, r.Propagation.Failed, r.Propagation.Failure = 3, 2, "pod x: no"
	r.Propagation.Requests, r.Propagation.Errors = 100, 1
	var out strings.Builder
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	want := "(3 skipped, because the cluster could not keep up; 2 failed, first error: pod x: no; 1 of 100 requests failed)"
	if !strings.Contains(out.String(), want) {
		t.Errorf("there is no %q in\n%s", want, &out)
	}
}

func TestJSONNamesHaveUnits(t *testing.T) {
	var out strings.Builder
	if err := full.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Ingresses       int
		DurationSeconds *float64
		InitialSync     struct{ FirstRequestSeconds float64 }
		MemoryAfterSync struct{ RSSBytes float64 }
		TableBuild      struct{ P99 float64 }
		Propagation     struct{ CreatedToServed struct{ P90 float64 } }
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Ingresses != 10000 || got.DurationSeconds == nil || got.InitialSync.FirstRequestSeconds != 1.234 ||
		got.MemoryAfterSync.RSSBytes != 200e6 || got.TableBuild.P99 != 0.05 || got.Propagation.CreatedToServed.P90 != 0.2 {
		t.Errorf("got %+v of\n%s", got, &out)
	}
}
