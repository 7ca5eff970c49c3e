//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

const (
	// clusterName is not the one that people work in.
	clusterName = "ingresslab-e2e"
	// controllerNamespace and controllerPods are where manifests/ puts the controller.
	controllerNamespace = "ingresslab-system"
	controllerPods      = "app.kubernetes.io/name=ingress-controller"
	// leaseName is the Lease whose holder writes status and Events.
	leaseName = "ingresslab-leader"
)

// lab is what the specs have: a cluster that is up, and the ways into it.
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
	RunSpecs(t, "ingresslab on a real cluster")
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

	provider, err := kind.New(kind.Options{Executable: binary()})
	Expect(err).NotTo(HaveOccurred())
	lab.cluster, err = provider.Get(ctx, clusterName)
	Expect(err).NotTo(HaveOccurred())
	lab.kube, err = kube.New(lab.cluster.Config)
	Expect(err).NotTo(HaveOccurred())
	lab.api = lab.kube.Clientset()
	lab.env, err = scenario.NewEnv(lab.cluster)
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(30*time.Minute))

// removeCluster leaves nothing behind, and the cluster's logs where CI keeps them if a spec failed.
func removeCluster(ctx SpecContext) {
	if dir := os.Getenv("OUT"); dir != "" && CurrentSpecReport().Failed() {
		_ = run(ctx, "logs", filepath.Join(lab.root, dir, "e2e-logs")).err
	}
	if os.Getenv("KEEP") == "true" {
		GinkgoWriter.Printf("KEEP=true: cluster %s stays; remove it with: bin/ingresslab down --name %s\n", clusterName, clusterName)
		return
	}
	ingresslab(ctx, "down")
}

func binary() string { return filepath.Join(lab.root, "bin", "ingresslab") }

// result is what a command left.
type result struct {
	stdout, stderr string
	code           int
	err            error
}

// run runs the CLI on the suite's cluster, as a user would.
func run(ctx context.Context, args ...string) result {
	args = append(args, "--name", clusterName)
	if provider := os.Getenv("CLUSTER"); provider != "" {
		args = append(args, "--cluster", provider)
	}
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Dir = lab.root
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode(), err: err}
}

// ingresslab runs the CLI and expects it to succeed. It returns stdout.
func ingresslab(ctx context.Context, args ...string) string {
	GinkgoHelper()
	r := run(ctx, args...)
	Expect(r.err).NotTo(HaveOccurred(), "ingresslab %v\nstdout:\n%s\nstderr:\n%s", args, r.stdout, r.stderr)
	return r.stdout
}
