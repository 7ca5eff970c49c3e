//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

const (
	// controllerNamespace and controllerPods select the controller of manifests/.
	controllerNamespace = "ingresslab-system"
	controllerPods      = "app.kubernetes.io/name=ingress-controller"
	// leaseName is the Lease whose holder writes status and Events.
	leaseName = "ingresslab-leader"
)

// provider is the provider of the suite's cluster: kind, or the value of CLUSTER.
var provider = cmp.Or(os.Getenv("CLUSTER"), kind.Name)

// clusterName differs from the default cluster.
var clusterName = "ingresslab-e2e" + strings.TrimSuffix("-"+provider, "-"+kind.Name)

// lab is the running cluster with its clients.
var lab struct {
	root    string
	cluster *cluster.Cluster
	kube    *kube.Client
	api     kubernetes.Interface
	env     scenario.Env
	// ctx ends with the suite.
	ctx context.Context
}

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "ingresslab on "+provider)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	wd, err := os.Getwd()
	Expect(err).NotTo(HaveOccurred())
	lab.root = filepath.Dir(wd)
	DeferCleanup(removeCluster)
	var end context.CancelFunc
	lab.ctx, end = context.WithCancel(context.WithoutCancel(ctx))
	DeferCleanup(end)
	ingresslab(ctx, "up", "--http-port", "0", "--https-port", "0", "--status-port", "0")

	lab.cluster = describe(ctx)
	lab.kube, err = kube.New(lab.cluster.Config)
	Expect(err).NotTo(HaveOccurred())
	lab.api = lab.kube.Clientset()
	lab.env, err = scenario.NewEnv(lab.cluster)
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(30*time.Minute))

// describe returns the status of the cluster as `ingresslab status` prints it.
func describe(ctx context.Context) *cluster.Cluster {
	GinkgoHelper()
	var status struct {
		Kubeconfig, HTTP, HTTPS, StatusPage string
		Lacks                               cluster.Missing
	}
	Expect(json.Unmarshal([]byte(ingresslab(ctx, "status", "-o", "json")), &status)).To(Succeed())
	config, err := clientcmd.BuildConfigFromFlags("", status.Kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	host := func(address string) string {
		u, err := url.Parse(address)
		Expect(err).NotTo(HaveOccurred())
		return u.Host
	}
	return &cluster.Cluster{
		Name: clusterName, Provider: provider, Kubeconfig: status.Kubeconfig, Config: config, Missing: status.Lacks,
		Addresses: cluster.Addresses{HTTP: host(status.HTTP), HTTPS: host(status.HTTPS), Status: host(status.StatusPage)},
	}
}

// removeCluster deletes the cluster. If a spec failed, it saves the logs for CI.
func removeCluster(ctx SpecContext) {
	if dir := os.Getenv("OUT"); dir != "" && CurrentSpecReport().Failed() {
		_ = run(ctx, "export-logs", filepath.Join(lab.root, dir, "e2e-logs-"+provider)).err
	}
	if os.Getenv("KEEP") == "true" {
		GinkgoWriter.Printf("KEEP=true: cluster %s stays; remove it with: bin/ingresslab down --cluster %s --name %s\n",
			clusterName, provider, clusterName)
		return
	}
	ingresslab(ctx, "down")
}

func binary() string { return filepath.Join(lab.root, "bin", "ingresslab") }

// result is the output of a command.
type result struct {
	stdout, stderr string
	code           int
	err            error
}

// run runs the CLI on the suite's cluster.
func run(ctx context.Context, args ...string) result {
	args = append(args, "--name", clusterName, "--cluster", provider)
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Dir = lab.root
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode(), err: err}
}

// ingresslab runs the CLI, expects success, and returns stdout.
func ingresslab(ctx context.Context, args ...string) string {
	GinkgoHelper()
	r := run(ctx, args...)
	Expect(r.err).NotTo(HaveOccurred(), "ingresslab %v\nstdout:\n%s\nstderr:\n%s", args, r.stdout, r.stderr)
	return r.stdout
}
