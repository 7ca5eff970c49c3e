package metrics

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/proxy"
)

var update = flag.Bool("update", false, "update the golden files")

const (
	listFile    = "../../docs/metrics.md"
	grafanaFile = "../../manifests/grafana/dashboard.json"
)

// families returns all metrics of a controller after one of each event, sorted by name.
func families(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	m := New()
	m.Attach(Sources{Server: proxy.New(proxy.Options{}), Leading: func() bool { return true }})
	registry := balancer.NewRegistry(nil)
	registry.Update(map[string][]balancer.Identity{"shop/web:80": {{Address: netip.MustParseAddrPort("10.0.0.1:80"), Pod: "shop/web-1"}}})
	one := prometheus.NewRegistry()
	one.MustRegister(&endpoints{list: registry.Endpoints})
	table, problems := tableOf("web")
	m.Build(table, problems, time.Millisecond, time.Now())
	m.expiry.WithLabelValues("shop/tls").Set(1)
	m.Request(&proxy.Record{Ingress: "shop/web", Service: "shop/none:80", Status: 401, Step: proxy.StepAuth})
	m.WatchError("services")
	list, err := prometheus.Gatherers{m.registry, one}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var gathered []string
	for _, family := range list {
		gathered = append(gathered, family.GetName())
	}
	described := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(described)
	close(described)
	for description := range described {
		name := regexp.MustCompile(`fqName: "([^"]*)"`).FindStringSubmatch(description.String())[1]
		if strings.HasPrefix(name, namespace) && !slices.Contains(gathered, name) {
			t.Errorf("%s is registered, but has no sample here; add one for the list", name)
		}
	}
	return list
}

// labelsOf returns the label names of a metric, sorted.
func labelsOf(family *dto.MetricFamily) []string {
	var names []string
	for _, pair := range family.GetMetric()[0].GetLabel() {
		names = append(names, pair.GetName())
	}
	slices.Sort(names)
	return names
}

// TestMetricsListIsCurrent compares the documentation with the registered metrics. `go generate`
// updates it.
func TestMetricsListIsCurrent(t *testing.T) {
	text, err := os.ReadFile(listFile)
	if err != nil {
		t.Fatal(err)
	}
	prose, _, found := strings.Cut(string(text), "-->\n")
	if !found {
		t.Fatalf("%s has no comment before the table", listFile)
	}
	var b strings.Builder
	b.WriteString(prose + "-->\n\n| metric | type | labels | description |\n| --- | --- | --- | --- |\n")
	for _, family := range families(t) {
		if strings.HasPrefix(family.GetName(), namespace) {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()),
				strings.Join(labelsOf(family), ", "), family.GetHelp())
		}
	}
	b.WriteString("\nThe controller also exports the metrics of its process and of the Go runtime, `process_*` and `go_*`.\n")
	if *update {
		if err := os.WriteFile(listFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if b.String() != string(text) {
		t.Errorf("%s is outdated; run `go generate ./controller/metrics`", listFile)
	}
}

var (
	metricName = regexp.MustCompile(`\b(ingresslab|process|go)_[a-z_]+`)
	selector   = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouping   = regexp.MustCompile(`\b(?:by|without)\s*\(([^)]*)\)`)
)

// queries are all queries of the Grafana dashboard, including those of its variables.
func queries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(grafanaFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Definition string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			list = append(list, target.Expr)
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Definition != "" {
			list = append(list, variable.Definition)
		}
	}
	return list
}

// known returns the names of all series, each with its labels.
func known(t *testing.T) map[string][]string {
	series := map[string][]string{}
	for _, family := range families(t) {
		// Prometheus adds the target's labels.
		labels := append(labelsOf(family), "job", "instance")
		switch family.GetType() {
		case dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY:
			series[family.GetName()+"_bucket"] = append([]string{"le"}, labels...)
			series[family.GetName()+"_sum"], series[family.GetName()+"_count"] = labels, labels
		default:
			series[family.GetName()] = labels
		}
	}
	return series
}

// faults returns the names in a query that do not exist.
func faults(query string, series map[string][]string) []string {
	var list []string
	names := metricName.FindAllString(query, -1)
	var grouped []string
	for _, name := range names {
		if _, ok := series[name]; !ok {
			list = append(list, "no metric "+name)
		}
		grouped = append(grouped, series[name]...)
	}
	for _, found := range selector.FindAllStringSubmatch(query, -1) {
		for _, label := range matcher.FindAllStringSubmatch(found[2], -1) {
			if !slices.Contains(series[found[1]], label[1]) {
				list = append(list, found[1]+" has no label "+label[1])
			}
		}
	}
	for _, found := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(found[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(grouped, label) {
				list = append(list, "no label "+label)
			}
		}
	}
	if len(names) == 0 {
		list = append(list, "no metric at all")
	}
	return list
}

func TestGrafanaQueriesExist(t *testing.T) {
	series := known(t)
	asked := strings.Join(queries(t), "\n")
	for _, query := range queries(t) {
		for _, fault := range faults(query, series) {
			t.Errorf("%s: %s", query, fault)
		}
	}
	for _, family := range families(t) {
		if strings.HasPrefix(family.GetName(), namespace) && !strings.Contains(asked, family.GetName()) {
			t.Errorf("no panel shows %s", family.GetName())
		}
	}
	for _, wrong := range []string{
		"rate(ingresslab_request_total[1m])", `ingresslab_requests_total{host="a"}`, "sum by (pod) (ingresslab_requests_total)",
		"ingresslab_propagation_seconds", "up",
	} {
		if len(faults(wrong, series)) == 0 {
			t.Errorf("the check accepts %s", wrong)
		}
	}
}
