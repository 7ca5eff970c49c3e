package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/controller"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// options are what the command line and the environment say.
type options struct {
	config     controller.Config
	kubeconfig string
	logLevel   slog.Level
}

// raw are the flags that need more than pflag's own types.
type raw struct {
	configMap, defaultCertificate            string
	defaultBackend, publishService, logLevel string
	publishAddress                           []string
}

// parse reads the command line. An error is one line that names the flag; pflag.ErrHelp asks for help.
func parse(args []string, env func(string) string) (options, error) {
	o := options{config: controller.DefaultConfig()}
	var r raw
	flags := flagSet(&o, &r)
	if err := flags.Parse(args); err != nil {
		return o, oneLine(err)
	}
	if extra := flags.Args(); len(extra) > 0 {
		return o, fmt.Errorf("argument %q: there are only flags, see --help", extra[0])
	}
	o.config.PodName = env("POD_NAME")
	if namespace := env("POD_NAMESPACE"); namespace != "" {
		o.config.PodNamespace = namespace
	}
	if err := r.apply(&o); err != nil {
		return o, err
	}
	return o, o.config.Validate()
}

// oneLine keeps pflag's message to what matters: it names the flag already.
func oneLine(err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	message := strings.TrimPrefix(err.Error(), "invalid argument ")
	if value, rest, ok := strings.Cut(message, " for "); ok && message != err.Error() {
		flag, why, _ := strings.Cut(rest, " flag: ")
		why = why[strings.LastIndex(why, ": ")+1:] // without the name of the function that did not like it
		return fmt.Errorf("%s: %s is not valid: %s", strings.Trim(flag, `"`), value, strings.TrimSpace(why))
	}
	return fmt.Errorf("%s, see --help", strings.ReplaceAll(message, "\n", " "))
}

func flagSet(o *options, r *raw) *pflag.FlagSet {
	c := &o.config
	flags := pflag.NewFlagSet("ingress-controller", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.StringVar(&c.ControllerClass, "controller-class", c.ControllerClass, "serve the IngressClasses whose spec.controller is `NAME`")
	flags.StringVar(&c.IngressClass, "ingress-class", c.IngressClass, "also serve Ingresses whose annotation kubernetes.io/ingress.class is `NAME`; empty: none")
	flags.BoolVar(&c.WatchIngressWithoutClass, "watch-ingress-without-class", false, "also serve Ingresses that name no class")
	flags.StringVar(&c.WatchNamespace, "watch-namespace", "", "look at `NAMESPACE` only; empty: at all")
	flags.StringVar(&r.configMap, "configmap", "", "follow the settings in the ConfigMap `NAMESPACE/NAME`, which may be made later")
	flags.StringVar(&r.defaultCertificate, "default-ssl-certificate", "", "show the certificate in the Secret `NAMESPACE/NAME` to clients that no Ingress has one for; empty: a self-signed one")
	flags.StringVar(&r.defaultBackend, "default-backend-service", "", "answer what no Ingress claims with the Service `NAMESPACE/NAME[:PORT]`; empty: with a 404")
	flags.BoolVar(&c.AllowExternalName, "allow-external-name", false, "send requests to the names of Services of type ExternalName; whoever may write Services can then reach what the controller can")
	flags.StringVar(&c.BindAddress, "bind-address", "", "listen on `IP`; empty: on all addresses")
	flags.IntVar(&c.HTTPPort, "http-port", c.HTTPPort, "`PORT` for HTTP")
	flags.IntVar(&c.HTTPSPort, "https-port", c.HTTPSPort, "`PORT` for HTTPS")
	flags.IntVar(&c.StatusPort, "status-port", c.StatusPort, "`PORT` of the status page, /nginx_status and /api/v1/")
	flags.IntVar(&c.MetricsPort, "metrics-port", c.MetricsPort, "`PORT` of /metrics, /healthz and /readyz")
	flags.BoolVar(&c.Admission, "admission", false, "answer the API server's reviews of Ingresses: refuse what could not be served (see manifests/admission)")
	flags.IntVar(&c.AdmissionPort, "admission-port", c.AdmissionPort, "`PORT` of those reviews")
	flags.StringVar(&c.AdmissionConfiguration, "admission-configuration", c.AdmissionConfiguration, "`NAME` of the ValidatingWebhookConfiguration that gets our certificate")
	flags.StringVar(&c.AdmissionService, "admission-service", c.AdmissionService, "`NAME` of the Service, in our namespace, that it leads to")
	flags.StringVar(&r.publishService, "publish-service", "", "write the address of the Service `NAMESPACE/NAME` into the status of Ingresses")
	flags.StringSliceVar(&r.publishAddress, "publish-status-address", nil, "write `ADDRESS[,...]` there instead; with neither: the addresses of the nodes that run this controller")
	flags.StringVar(&c.ElectionID, "election-id", c.ElectionID, "`NAME` of the Lease whose holder writes status and Events")
	flags.DurationVar(&c.LeaseDuration, "lease-duration", c.LeaseDuration, "how long the Lease holds when its holder falls silent, at least 1s")
	flags.DurationVar(&c.ShutdownGrace, "shutdown-grace", c.ShutdownGrace, "go on serving for this long after SIGTERM")
	flags.DurationVar(&c.ShutdownTimeout, "shutdown-timeout", c.ShutdownTimeout, "then wait for this long for requests in flight")
	flags.BoolVar(&c.ExplainHeader, "explain-header", false, "say in X-Ingresslab-* response headers which rule and pod answered, and why")
	flags.StringVar(&c.AccessLog, "access-log", c.AccessLog, "log requests to stdout; `FORMAT` is json, combined or off")
	flags.StringVar(&r.logLevel, "log-level", "info", "`LEVEL` of the log on stderr: debug, info, warn or error")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`FILE` that says which cluster, when not in a pod")
	return flags
}

func (r raw) apply(o *options) error {
	var err error
	if o.config.ConfigMap, err = objectName(r.configMap); err != nil {
		return fmt.Errorf("--configmap: %w", err)
	}
	if o.config.DefaultCertificate, err = objectName(r.defaultCertificate); err != nil {
		return fmt.Errorf("--default-ssl-certificate: %w", err)
	}
	if o.config.DefaultBackend, err = servicePort(r.defaultBackend); err != nil {
		return fmt.Errorf("--default-backend-service: %w", err)
	}
	if o.config.PublishService, err = serviceName(r.publishService); err != nil {
		return fmt.Errorf("--publish-service: %w", err)
	}
	o.config.PublishStatusAddress = r.publishAddress
	switch r.logLevel {
	case "debug", "info", "warn", "error":
		return o.logLevel.UnmarshalText([]byte(r.logLevel))
	}
	return fmt.Errorf("--log-level: %q is none of debug, info, warn, error", r.logLevel)
}

// objectName reads NAMESPACE/NAME of a Secret or ConfigMap; empty is the zero name.
func objectName(text string) (types.NamespacedName, error) {
	namespace, name, _ := strings.Cut(text, "/")
	if text != "" && (len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0) {
		return types.NamespacedName{}, fmt.Errorf("%q is not NAMESPACE/NAME", text)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// serviceName reads NAMESPACE/NAME; empty is the zero name.
func serviceName(text string) (types.NamespacedName, error) {
	if text == "" {
		return types.NamespacedName{}, nil
	}
	namespace, name, _ := strings.Cut(text, "/")
	if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1035Label(name)) > 0 {
		return types.NamespacedName{}, fmt.Errorf("%q is not NAMESPACE/NAME of a Service", text)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// servicePort reads NAMESPACE/NAME[:PORT], the port by name or number.
func servicePort(text string) (routing.ServicePort, error) {
	service, port, hasPort := strings.Cut(text, ":")
	name, err := serviceName(service)
	if err != nil || text == "" {
		return routing.ServicePort{}, err
	}
	result := routing.ServicePort{Service: name}
	if !hasPort {
		return result, nil
	}
	if number, err := strconv.ParseInt(port, 10, 32); err == nil && number > 0 && number <= 65535 {
		result.Port = networkingv1.ServiceBackendPort{Number: int32(number)}
	} else if len(validation.IsValidPortName(port)) == 0 {
		result.Port = networkingv1.ServiceBackendPort{Name: port}
	} else {
		return routing.ServicePort{}, fmt.Errorf("%q: %q is neither a port number nor the name of a port", text, port)
	}
	return result, nil
}

// usage is what --help prints.
func usage() string {
	var o options
	o.config = controller.DefaultConfig()
	return `ingress-controller serves the Ingresses of a Kubernetes cluster.

It routes HTTP to pods by the rules of the Ingresses of its class, follows every change
within milliseconds, and says on its status page and in Events what is wrong with them.

Usage:
  ingress-controller [flags]

Flags:
` + flagSet(&o, &raw{}).FlagUsagesWrapped(100) + `
Environment:
  POD_NAME, POD_NAMESPACE   the controller's own pod, from the downward API

Exit codes: 0 after SIGTERM, 1 cannot run, 2 wrong usage. A second SIGTERM ends it at once.
`
}
