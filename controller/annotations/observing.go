package annotations

// observing lists the annotations for logs, traces, and metrics. In this controller, metrics and
// the status page are the same for all Ingresses.
var observing = []Entry{
	{Name: "enable-access-log", Group: "observing", Support: Supported, Values: "true, false", Default: "true",
		Note: "whether the access log includes the requests of this Ingress", read: readAccessLog},
	{Name: "enable-rewrite-log", Group: "observing", Default: "false", Idle: []string{"false"},
		Note: "use ingresslab explain to see what a rewrite does"},
	{Name: "enable-opentelemetry", Group: "observing", Idle: []string{"false"}, Note: "tracing is not supported"},
	{Name: "opentelemetry-operation-name", Group: "observing", With: "enable-opentelemetry", Note: "the name of trace spans"},
	{Name: "opentelemetry-trust-incoming-span", Group: "observing", With: "enable-opentelemetry",
		Note: "whether traces continue the client's trace"},
	{Name: "enable-opentracing", Group: "observing", Idle: []string{"false"}, Note: "tracing is not supported"},
	{Name: "opentracing-operation-name", Group: "observing", With: "enable-opentracing", Note: "the name of trace spans"},
	{Name: "opentracing-trust-incoming-span", Group: "observing", With: "enable-opentracing",
		Note: "whether traces continue the client's trace"},
	{Name: "enable-influxdb", Group: "observing", Idle: []string{"false"}, Note: "metrics are in Prometheus format only"},
	{Name: "influxdb-measurement", Group: "observing", With: "enable-influxdb", Note: "the name of an InfluxDB series"},
	{Name: "influxdb-host", Group: "observing", With: "enable-influxdb", Note: "the address of the InfluxDB server"},
	{Name: "influxdb-port", Group: "observing", With: "enable-influxdb", Note: "the address of the InfluxDB server"},
	{Name: "influxdb-server-name", Group: "observing", With: "enable-influxdb", Note: "the controller's name in InfluxDB"},
	{Name: "http2-push-preload", Group: "observing", Idle: []string{"false"}, Note: "browsers no longer support HTTP/2 server push"},
}

func readAccessLog(o *Options, value string) error {
	on, err := parseBool(value)
	if err == nil {
		o.Unlogged = !on
	}
	return err
}
