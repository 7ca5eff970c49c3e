//go:build e2e

package e2e

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var _ = Describe("the CLI", func() {
	It("finds the cluster of any provider", func(ctx SpecContext) {
		cmd := exec.CommandContext(ctx, binary(), "kubeconfig", "--name", clusterName)
		cmd.Dir = lab.root
		out, err := cmd.Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.TrimSpace(string(out))).To(Equal(lab.cluster.Kubeconfig))
	})

	It("reuses the running cluster", func(ctx SpecContext) {
		before := identity(ctx)
		ingresslab(ctx, "up")
		Expect(identity(ctx)).To(Equal(before))
	})

	It("prints the addresses of the cluster, and a kubeconfig that only its owner can read", func(ctx SpecContext) {
		Expect(ingresslab(ctx, "status")).To(And(
			ContainSubstring(lab.cluster.Addresses.HTTP), ContainSubstring(lab.cluster.Addresses.Status), ContainSubstring(clusterName)))
		file, err := os.Stat(lab.cluster.Kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		Expect(file.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	})

	It("writes a JUnit report that names the scenario", func(ctx SpecContext) {
		out := ingresslab(ctx, "run", "host-routing", "-o", "junit")
		Expect(xml.Unmarshal([]byte(out), new(struct{}))).To(Succeed())
		Expect(out).To(ContainSubstring("host-routing"))
	})

	It("collects the logs of the cluster in a folder", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		ingresslab(ctx, "export-logs", dir)
		var files []string
		Expect(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
			}
			return err
		})).To(Succeed())
		Expect(files).To(ContainElement(ContainSubstring("ingress-controller")))
	})

	It("names the port that is in use, and its cluster, when another cluster requests it", func(ctx SpecContext) {
		_, port, _ := strings.Cut(lab.cluster.Addresses.HTTP, ":")
		cmd := exec.CommandContext(ctx, binary(), "up", "--name", "ingresslab-e2e-second", "--cluster", provider, "--http-port", port)
		cmd.Dir = lab.root
		out, err := cmd.CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(out)).To(And(ContainSubstring(port), ContainSubstring(clusterName), ContainSubstring("--http-port")))
	})

	It("suggests the most similar name for an unknown scenario, with exit code 2", func(ctx SpecContext) {
		r := run(ctx, "run", "host-ruting")
		Expect(r.code).To(Equal(2))
		Expect(r.stderr).To(ContainSubstring("host-routing"))
	})
})

// identity returns the ID of a namespace that every cluster has.
func identity(ctx context.Context) types.UID {
	GinkgoHelper()
	namespace, err := lab.api.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return namespace.UID
}
