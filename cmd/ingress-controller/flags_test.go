package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller"
)

func noEnv(string) string { return "" }

func TestParseUsesDefaultConfig(t *testing.T) {
	o, err := parse(nil, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := controller.DefaultConfig()
	if o.config.HTTPPort != want.HTTPPort || o.config.ControllerClass != want.ControllerClass ||
		o.logLevel != slog.LevelInfo || o.config.AccessLog != "json" {
		t.Errorf("got %+v", o)
	}
}

func TestParseSetsConfig(t *testing.T) {
	env := map[string]string{"POD_NAME": "c-1", "POD_NAMESPACE": "ingresslab-system"}
	o, err := parse([]string{
		"--default-backend-service=web/fallback:http", "--publish-status-address=192.0.2.1,lb.example.com", "--shutdown-grace=0s",
		"--access-log=off", "--configmap=kube/settings", "--default-ssl-certificate=kube/cert.v2",
		"--log-level=debug", "--watch-ingress-without-class", "--ingress-class=", "--https-port=0",
	}, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if c.DefaultBackend.Service.String() != "web/fallback" || c.DefaultBackend.Port != (networkingv1.ServiceBackendPort{Name: "http"}) {
		t.Errorf("default backend %+v", c.DefaultBackend)
	}
	if strings.Join(c.PublishStatusAddress, " ") != "192.0.2.1 lb.example.com" || c.ShutdownGrace != 0*time.Second || c.AccessLog != "off" ||
		o.logLevel != slog.LevelDebug || !c.WatchIngressWithoutClass || c.IngressClass != "" || c.HTTPSPort != 0 {
		t.Errorf("got %+v", o)
	}
	if c.ConfigMap.String() != "kube/settings" || c.DefaultCertificate.String() != "kube/cert.v2" {
		t.Errorf("configmap %s, default certificate %s", c.ConfigMap, c.DefaultCertificate)
	}
	if c.PodName != "c-1" || c.PodNamespace != "ingresslab-system" {
		t.Errorf("pod %s/%s", c.PodNamespace, c.PodName)
	}
}

// The error of an invalid value is one line that starts with the flag. The exit code is 2.
func TestInvalidValueReportsFlag(t *testing.T) {
	for flag, values := range map[string][]string{
		"--http-port":               {"x", "-1", "65536", "443"},
		"--status-port":             {"10254"},
		"--default-backend-service": {"web", "a/b/c", "a/b:", "a/b:0", "a/b:99999", "A/b"},
		"--publish-service":         {"web", "/web", "a/"},
		"--publish-status-address":  {"1.2.3.400", "a_b", "a b"},
		"--configmap":               {"settings", "a/b/c", "/b"},
		"--default-ssl-certificate": {"cert", "a/", "a/B"},
		"--access-log":              {"yes", ""},
		"--log-level":               {"loud", "INFO+1"},
		"--shutdown-grace":          {"5", "-1s"},
		"--shutdown-timeout":        {"-1s"},
		"--lease-duration":          {"10ms"},
		"--watch-namespace":         {"Shop", "a/b"},
		"--controller-class":        {"", "a b"},
		"--election-id":             {"", "A"},
		"--bind-address":            {"localhost"},
		"--explain-header":          {"maybe"},
	} {
		for _, value := range values {
			var out, errors bytes.Buffer
			code := run([]string{flag + "=" + value}, noEnv, &out, &errors)
			line := errors.String()
			// Of two equal ports, either flag can be reported.
			named := strings.HasPrefix(line, "ingress-controller: "+flag) || strings.Contains(line, "already the value of "+flag)
			if code != 2 || !named || strings.Count(line, "\n") != 1 || out.Len() > 0 {
				t.Errorf("%s=%s: exit code %d, %q", flag, value, code, line)
			}
		}
	}
}

func TestUnknownFlagOrArgumentFails(t *testing.T) {
	for _, args := range [][]string{{"--httpport=80"}, {"serve"}, {"-x"}} {
		var out, errors bytes.Buffer
		if code := run(args, noEnv, &out, &errors); code != 2 || !strings.Contains(errors.String(), "see --help") {
			t.Errorf("%v: exit code %d, %q", args, code, errors.String())
		}
	}
}

func TestHelpListsEveryFlag(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"--help"}, noEnv, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit code %d, stderr %q", code, errs.String())
	}
	var o options
	flagSet(&o, &raw{}).VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(out.String(), "--"+f.Name+" ") {
			t.Errorf("--%s is missing", f.Name)
		}
	})
}

func TestMissingClusterSuggestsKubeconfig(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	var out, errs bytes.Buffer
	if code := run(nil, noEnv, &out, &errs); code != 1 || !strings.Contains(errs.String(), "--kubeconfig") {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
	if _, err := restConfig("/no/such/file"); err == nil || errors.Unwrap(err) == nil || !strings.HasPrefix(err.Error(), "--kubeconfig: ") {
		t.Errorf("error %v", err)
	}
}
