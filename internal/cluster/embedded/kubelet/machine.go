package kubelet

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// maxPods is how many pods a node takes: a kubelet's default, and less than a /24 has addresses.
const maxPods = 110

// machine is what a node reports about the machine it is on. Every node of a cluster reports all of it: nothing is limited.
type machine struct {
	cpus              int
	memory, disk      int64 // bytes
	kernel            string
	machineID, bootID string
}

func inspectMachine() machine {
	return machine{
		cpus: runtime.NumCPU(), memory: memory("/proc/meminfo"), disk: diskSize("/"),
		kernel:    firstLine("/proc/sys/kernel/osrelease"),
		machineID: firstLine("/etc/machine-id"), bootID: firstLine("/proc/sys/kernel/random/boot_id"),
	}
}

func (m machine) resources() corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(m.cpus), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(m.memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
	if m.disk > 0 {
		list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(m.disk, resource.BinarySI)
	}
	return list
}

// memory reads MemTotal of proc_meminfo(5).
func memory(path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name == "MemTotal" {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib * 1024
		}
	}
	return 0
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
