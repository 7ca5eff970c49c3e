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

// options come from the command line and the environment.
type options struct {
	config     controller.Config
	kubeconfig string
	logLevel   slog.Level
}

// raw has the flag values that parse converts after pflag has read them.
type raw struct {
	configMap, defaultCertificate            string
	defaultBackend, publishService, logLevel string
	publishAddress                           []string
}

// parse parses the command line. An error is one line that starts with the flag; pflag.ErrHelp
// requests help.
func parse(args []string, env func(string) string) (options, error) {
	o := options{config: controller.DefaultConfig()}
	var r raw
	flags := flagSet(&o, &r)
	if err := flags.Parse(args); err != nil {
		return o, flagError(err)
	}
	if extra := flags.Args(); len(extra) > 0 {
		return o, fmt.Errorf("unexpected argument %q; see --help", extra[0])
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

// flagError shortens pflag's error to one line, which starts with the flag.
func flagError(err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	message := strings.TrimPrefix(err.Error(), "invalid argument ")
	if value, rest, ok := strings.Cut(message, " for "); ok && message != err.Error() {
		flag, why, _ := strings.Cut(rest, " flag: ")
		why = why[strings.LastIndex(why, ": ")+1:] // drop the name of the parsing function
		return fmt.Errorf("%s: invalid value %s: %s", strings.Trim(flag, `"`), value, strings.TrimSpace(why))
	}
	return fmt.Errorf("%s; see --help", strings.ReplaceAll(message, "\n", " "))
}

func flagSet(o *options, r *raw) *pflag.FlagSet {
	c := &o.config
	flags := pflag.NewFlagSet("ingress-controller", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.StringVar(&c.ControllerClass, "controller-class", c.ControllerClass,
		"serve the IngressClasses whose spec.controller is `NAME`")
	flags.StringVar(&c.IngressClass, "ingress-class", c.IngressClass,
		"also serve Ingresses whose annotation kubernetes.io/ingress.class is `NAME`; empty for none")
	flags.BoolVar(&c.WatchIngressWithoutClass, "watch-ingress-without-class", false,
		"also serve Ingresses without a class")
	flags.StringVar(&c.WatchNamespace, "watch-namespace", "", "watch only `NAMESPACE`; empty for all namespaces")
	flags.StringVar(&r.configMap, "configmap", "",
		"apply the settings in the ConfigMap `NAMESPACE/NAME`, which can be created later")
	flags.StringVar(&r.defaultCertificate, "default-ssl-certificate", "",
		"serve the certificate in the Secret `NAMESPACE/NAME` for hosts without one; empty for a self-signed certificate")
	flags.StringVar(&r.defaultBackend, "default-backend-service", "",
		"send unmatched requests to the Service `NAMESPACE/NAME[:PORT]`; empty for a 404")
	flags.BoolVar(&c.AllowExternalName, "allow-external-name", false,
		"send requests to the names of ExternalName Services; a user who can create Services can then reach whatever the controller can")
	flags.StringVar(&c.BindAddress, "bind-address", "", "listen on the address `IP`; empty for all addresses")
	flags.IntVar(&c.HTTPPort, "http-port", c.HTTPPort, "serve HTTP on `PORT`")
	flags.IntVar(&c.HTTPSPort, "https-port", c.HTTPSPort, "serve HTTPS on `PORT`")
	flags.IntVar(&c.StatusPort, "status-port", c.StatusPort,
		"serve the status page, /nginx_status and /api/v1/ on `PORT`")
	flags.IntVar(&c.MetricsPort, "metrics-port", c.MetricsPort, "serve /metrics, /healthz and /readyz on `PORT`")
	flags.BoolVar(&c.Admission, "admission", false,
		"serve the validating admission webhook, which rejects invalid Ingresses (see manifests/admission)")
	flags.IntVar(&c.AdmissionPort, "admission-port", c.AdmissionPort, "serve the admission webhook on `PORT`")
	flags.StringVar(&c.AdmissionConfiguration, "admission-configuration", c.AdmissionConfiguration,
		"write the webhook's CA certificate into the ValidatingWebhookConfiguration `NAME`")
	flags.StringVar(&c.AdmissionService, "admission-service", c.AdmissionService,
		"issue the webhook's certificate for the Service `NAME` in the controller's namespace")
	flags.StringVar(&r.publishService, "publish-service", "",
		"write the address of the Service `NAMESPACE/NAME` into the status of Ingresses")
	flags.StringSliceVar(&r.publishAddress, "publish-status-address", nil,
		"write `ADDRESS[,...]` into the status of Ingresses instead; with neither flag, write the addresses of the controller's nodes")
	flags.StringVar(&c.ElectionID, "election-id", c.ElectionID,
		"use the Lease `NAME` for leader election; the leader writes status and Events")
	flags.DurationVar(&c.LeaseDuration, "lease-duration", c.LeaseDuration,
		"how long the Lease is valid after its last renewal, at least 1s")
	flags.DurationVar(&c.ShutdownGrace, "shutdown-grace", c.ShutdownGrace,
		"how long to continue serving after SIGTERM")
	flags.DurationVar(&c.ShutdownTimeout, "shutdown-timeout", c.ShutdownTimeout,
		"how long to wait for requests in flight after that")
	flags.BoolVar(&c.ExplainHeader, "explain-header", false,
		"add X-Ingresslab-* response headers with the matched rule, the pod, and the reason")
	flags.StringVar(&c.AccessLog, "access-log", c.AccessLog,
		"log requests to stdout in `FORMAT`: json, combined or off")
	flags.StringVar(&r.logLevel, "log-level", "info",
		"log messages of `LEVEL` and above to stderr: debug, info, warn or error")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "",
		"read the cluster and credentials from `FILE`; not needed in a pod")
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
	return fmt.Errorf("--log-level: %q is not debug, info, warn or error", r.logLevel)
}

// objectName parses NAMESPACE/NAME of a Secret or ConfigMap; an empty text gives the zero value.
func objectName(text string) (types.NamespacedName, error) {
	namespace, name, _ := strings.Cut(text, "/")
	if text != "" && (len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0) {
		return types.NamespacedName{}, fmt.Errorf("%q is not NAMESPACE/NAME", text)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// serviceName parses NAMESPACE/NAME of a Service; an empty text gives the zero value.
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

// servicePort parses NAMESPACE/NAME[:PORT]; the port is a name or a number.
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
		return routing.ServicePort{}, fmt.Errorf("%q: %q is not a port number or a port name", text, port)
	}
	return result, nil
}

// usage returns the text of --help.
func usage() string {
	var o options
	o.config = controller.DefaultConfig()
	return `ingress-controller is an Ingress controller for Kubernetes.

It routes HTTP requests to pods by the rules of the Ingresses of its class, and applies each
change within milliseconds. It reports problems on its status page and in Events.

Usage:
  ingress-controller [flags]

Flags:
` + flagSet(&o, &raw{}).FlagUsagesWrapped(100) + `
Environment:
  POD_NAME, POD_NAMESPACE   the controller's pod, from the downward API

Exit codes: 0 after SIGTERM, 1 on a failure, 2 on invalid usage.
A second SIGTERM ends the process at once.
`
}
