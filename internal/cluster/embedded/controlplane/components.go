package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

const (
	// etcdPort and etcdPeerPort are ports on the hub's loopback address, which only the supervisor and
	// the control plane can reach. They use no TLS, because any process that could read the traffic is
	// root in the cluster already.
	etcdPort     = 2379
	etcdPeerPort = 2380
	// etcdQuota limits the database to 4 GiB: tens of thousands of objects and their history.
	etcdQuota = 4 << 30
	nodePorts = "30000-32767" // nodePorts is the API server's default range
	// issuer is the issuer of service account tokens, as in kubeadm.
	issuer = "https://kubernetes.default.svc.cluster.local"
	// controllers excludes controllers for clouds and volumes, which would have no effect.
	controllers = "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller," +
		"-persistentvolume-attach-detach-controller,-persistentvolume-expander-controller"
)

// kubernetesService is the cluster IP of the Service default/kubernetes, the first in the range.
var kubernetesService = network.Services.Addr().Next()

func etcdURL(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

func (p *ControlPlane) etcd() component {
	data := filepath.Join(p.config.Dir, "etcd")
	_, err := os.Stat(filepath.Join(data, "member"))
	return component{
		name:         "etcd",
		hadData:      !errors.Is(err, fs.ErrNotExist),
		memoryLimit:  "2GiB",
		fatalMessage: etcdFatalMessage,
		arguments: []string{
			"--name=embedded", "--data-dir=" + data,
			"--listen-client-urls=" + etcdURL(etcdPort), "--advertise-client-urls=" + etcdURL(etcdPort),
			"--listen-peer-urls=" + etcdURL(etcdPeerPort), "--initial-advertise-peer-urls=" + etcdURL(etcdPeerPort),
			"--initial-cluster=embedded=" + etcdURL(etcdPeerPort),
			// fsync is slow on a laptop's disk, and a lab can lose data in a power failure.
			"--unsafe-no-fsync",
			// etcd serves no request before the leader election. The only candidate wins after this timeout.
			"--heartbeat-interval=50", "--election-timeout=250",
			"--snapshot-count=10000", "--max-snapshots=1", "--max-wals=1",
			"--quota-backend-bytes=" + strconv.Itoa(etcdQuota),
			"--log-level=warn", "--logger=zap",
		},
	}
}

func (p *ControlPlane) apiServer() component {
	return component{
		name:         "kube-apiserver",
		memoryLimit:  "4GiB",
		fatalMessage: kubernetesFatalMessage,
		arguments: []string{
			"--etcd-servers=" + etcdURL(etcdPort),
			// Do not use 0.0.0.0: the hub also has every cluster IP, and a Service might use this port.
			"--bind-address=" + network.Hub.String(),
			"--secure-port=" + strconv.Itoa(APIPort),
			"--advertise-address=" + network.Hub.String(),
			"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
			"--client-ca-file=" + p.pki("ca.crt"),
			"--kubelet-certificate-authority=" + p.pki("ca.crt"),
			"--kubelet-client-certificate=" + p.pki("apiserver-kubelet-client.crt"),
			"--kubelet-client-key=" + p.pki("apiserver-kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			// The aggregation layer: forward requests to extension API servers, with the user's
			// name
			// (https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/).
			"--requestheader-client-ca-file=" + p.pki(frontProxyCA+".crt"), "--requestheader-allowed-names=" + frontProxyUser,
			"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + p.pki(frontProxyUser+".crt"), "--proxy-client-key-file=" + p.pki(frontProxyUser+".key"),
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged",
			"--service-cluster-ip-range=" + network.Services.String(),
			"--service-node-port-range=" + nodePorts,
			"--service-account-issuer=" + issuer,
			"--service-account-key-file=" + p.pki(accountPublicKey),
			"--service-account-signing-key-file=" + p.pki(accountKey),
			"--profiling=false",
			"--etcd-count-metric-poll-period=0", "--etcd-db-metric-poll-interval=0",
			// More workers delete the namespaces of labs and scenarios faster.
			"--delete-collection-workers=4",
		},
	}
}

func (p *ControlPlane) controllerManager() component {
	return component{
		name:         "kube-controller-manager",
		memoryLimit:  "1GiB",
		fatalMessage: kubernetesFatalMessage,
		arguments: append([]string{
			"--kubeconfig=" + p.kubeconfig("controller-manager"),
			"--service-account-private-key-file=" + p.pki(accountKey),
			"--root-ca-file=" + p.pki("ca.crt"),
			"--cluster-signing-cert-file=" + p.pki("ca.crt"), "--cluster-signing-key-file=" + p.pki("ca.key"),
			"--use-service-account-credentials",
			"--controllers=" + controllers,
		}, p.clientArguments()...),
	}
}

func (p *ControlPlane) scheduler() component {
	return component{
		name:         "kube-scheduler",
		memoryLimit:  "1GiB",
		fatalMessage: kubernetesFatalMessage,
		arguments:    append([]string{"--kubeconfig=" + p.kubeconfig("scheduler")}, p.clientArguments()...),
	}
}

// clientArguments returns the arguments that the controller manager and the scheduler share.
// `kubectl get componentstatuses` reads their health endpoint on the hub's loopback address. It
// uses the API server's certificate, because generating one more slows down the start.
func (p *ControlPlane) clientArguments() []string {
	return []string{
		"--leader-elect=false",
		"--profiling=false",
		// The default limits are for an API server that many clients share.
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--bind-address=127.0.0.1",
		"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
	}
}

const (
	// minDelay and maxDelay bound the backoff before a restart, which doubles each time.
	minDelay = 200 * time.Millisecond
	maxDelay = 10 * time.Second
	// stableAfter is how long a component must run until its backoff is reset.
	stableAfter = 15 * time.Second
	// gcPercent is GOGC. It is below the default because memory is scarce on a laptop, and the live
	// heap is less than half of a component's memory.
	gcPercent = "70"
)

// component is a program of the control plane.
type component struct {
	name      string
	arguments []string
	// memoryLimit is GOMEMLIMIT, a soft limit. It is far above what labs need: near the limit, with
	// tens of thousands of objects, a component would spend its time on garbage collection
	// (docs/scale.md).
	memoryLimit string
	hadData     bool // hadData means that the component reads data of an earlier run
	// fatalMessage returns the reason for an exit if the log line contains it.
	fatalMessage func(line string) (text string, found bool)
}

// DamagedError means that a component cannot read the data of an earlier run.
type DamagedError struct{ Program, Reason string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged data: %s: %s", e.Program, e.Reason)
}

// supervise runs a component until ctx ends, and restarts it when it exits. If the first run ends
// before stableAfter, supervise reports that the control plane has failed.
func (p *ControlPlane) supervise(ctx context.Context, c component) {
	log := filepath.Join(LogDir(p.config.Dir), c.name+".log")
	if err := os.Rename(log, strings.TrimSuffix(log, ".log")+".previous.log"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.config.Log("log of %s: %v", c.name, err)
	}
	delay := minDelay
	for first := true; ; first = false {
		started, logSize := time.Now(), sizeOf(log)
		err := p.run(ctx, c, log)
		if ctx.Err() != nil {
			return
		}
		reason := exitReason(c, log, logSize, err)
		stable := time.Since(started) > stableAfter
		if first && !stable {
			p.fail(c, reason)
			return
		}
		if stable {
			delay = minDelay
		}
		p.config.Log("%s exited (%s); restarting in %v", c.name, reason, delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		delay = min(2*delay, maxDelay)
	}
}

func (p *ControlPlane) fail(c component, reason string) {
	err := fmt.Errorf("%s exited: %s", c.name, reason)
	if c.hadData {
		err = &DamagedError{c.name, reason}
	}
	p.config.Log("%v", err)
	select {
	case p.failed <- err:
	default: // only the first failure matters
	}
}

func (p *ControlPlane) run(ctx context.Context, c component, log string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the child has its own copy
	cmd := exec.CommandContext(ctx, filepath.Join(p.config.Binaries.Dir, c.name), c.arguments...)
	// Do not pass the user's environment: proxy and Go settings would affect the cluster.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.config.Dir, "TMPDIR=" + os.TempDir(),
		"GOGC=" + gcPercent, "GOMEMLIMIT=" + c.memoryLimit,
	}
	cmd.Dir = p.config.Dir
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// sizeOf returns the size of a file, or 0 if it does not exist.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// exitReason returns the first fatal message in a component's log after offset. If none, it is err.
func exitReason(c component, log string, offset int64, err error) string {
	text, readErr := os.ReadFile(log)
	if readErr == nil {
		for line := range strings.Lines(string(text[min(offset, int64(len(text))):])) {
			if reason, found := c.fatalMessage(strings.TrimSpace(line)); found {
				return reason
			}
		}
	}
	if err == nil {
		return "no error message"
	}
	return err.Error()
}

// badVerb matches fmt's output for %w outside fmt.Errorf, which etcd prints for a damaged database.
var badVerb = regexp.MustCompile(`%!w\([^=]*=&\{(.*?)\}\)`)

// etcdFatalMessage reads a line of etcd's log: JSON, or the output of a Go panic.
func etcdFatalMessage(line string) (text string, found bool) {
	var entry struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &entry) != nil {
		text, found = goFatalMessage(line)
		return badVerb.ReplaceAllString(text, "$1"), found
	}
	if entry.Level != "panic" && entry.Level != "fatal" {
		return "", false
	}
	if entry.Error != "" {
		entry.Msg += ": " + entry.Error
	}
	return badVerb.ReplaceAllString(entry.Msg, "$1"), true
}

// kubernetesFatalMessage reads a line of a Kubernetes component's log: a fatal klog line (F), or
// the error of the command line.
func kubernetesFatalMessage(line string) (text string, found bool) {
	if strings.HasPrefix(line, "F") || strings.HasPrefix(line, "E") && strings.Contains(line, "command failed") {
		if _, rest, ok := strings.Cut(line, "] "); ok {
			return rest, true
		}
	}
	return goFatalMessage(line)
}

// goFatalMessage reads the output of a Go program that ends with an error or a panic.
func goFatalMessage(line string) (text string, found bool) {
	for _, prefix := range []string{"panic: ", "fatal error: ", "Error: ", "error: "} {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return rest, true
		}
	}
	return "", false
}
