package annotations

// observing lists what ingress-nginx writes down. The controller's own log, metrics and dashboard are the same for all Ingresses.
var observing = []Entry{
	{Name: "enable-access-log", Group: "observing", Support: Supported, Values: "true, false", Default: "true", Note: "whether the access log has the requests of this Ingress", read: readAccessLog},
	{Name: "enable-rewrite-log", Group: "observing", Default: "false", Idle: []string{"false"}, Note: "explain shows what a rewrite does"},
	{Name: "enable-opentelemetry", Group: "observing", Idle: []string{"false"}, Note: "traces are not made"},
	{Name: "opentelemetry-operation-name", Group: "observing", With: "enable-opentelemetry", Note: "the name of spans"},
	{Name: "opentelemetry-trust-incoming-span", Group: "observing", With: "enable-opentelemetry", Note: "continues the client's trace"},
	{Name: "enable-opentracing", Group: "observing", Idle: []string{"false"}, Note: "traces are not made"},
	{Name: "opentracing-operation-name", Group: "observing", With: "enable-opentracing", Note: "the name of spans"},
	{Name: "opentracing-trust-incoming-span", Group: "observing", With: "enable-opentracing", Note: "continues the client's trace"},
	{Name: "enable-influxdb", Group: "observing", Idle: []string{"false"}, Note: "metrics are those of Prometheus"},
	{Name: "influxdb-measurement", Group: "observing", With: "enable-influxdb", Note: "the name of a series"},
	{Name: "influxdb-host", Group: "observing", With: "enable-influxdb", Note: "where metrics are sent"},
	{Name: "influxdb-port", Group: "observing", With: "enable-influxdb", Note: "where metrics are sent"},
	{Name: "influxdb-server-name", Group: "observing", With: "enable-influxdb", Note: "the controller's name in metrics"},
	{Name: "http2-push-preload", Group: "observing", Idle: []string{"false"}, Note: "HTTP/2 server push, which browsers have dropped"},
}

func readAccessLog(o *Options, value string) error {
	on, err := parseBool(value)
	if err == nil {
		o.Unlogged = !on
	}
	return err
}
