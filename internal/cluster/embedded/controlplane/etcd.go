package controlplane

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Ports of etcd on the hub's loopback address, which only the supervisor and its control plane can reach. Without TLS: who
// could listen in would be root of the cluster already.
const (
	etcdPort     = 2379
	etcdPeerPort = 2380
)

// etcdQuota bounds the database: room for tens of thousands of objects and their history.
const etcdQuota = 4 << 30

func etcdURL(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

func (p *ControlPlane) etcd() program {
	data := filepath.Join(p.config.Dir, "etcd")
	_, err := os.Stat(filepath.Join(data, "member"))
	return program{
		name:      "etcd",
		hadData:   !errors.Is(err, fs.ErrNotExist),
		limit:     "2GiB",
		complaint: etcdComplaint,
		arguments: []string{
			"--name=embedded", "--data-dir=" + data,
			"--listen-client-urls=" + etcdURL(etcdPort), "--advertise-client-urls=" + etcdURL(etcdPort),
			"--listen-peer-urls=" + etcdURL(etcdPeerPort), "--initial-advertise-peer-urls=" + etcdURL(etcdPeerPort),
			"--initial-cluster=embedded=" + etcdURL(etcdPeerPort),
			// A lab's data may be lost with the machine's power, and laptops' disks are slow to say that they have written.
			"--unsafe-no-fsync",
			// There is nobody to hold an election against, and until it is held nothing is served.
			"--heartbeat-interval=50", "--election-timeout=250",
			"--snapshot-count=10000", "--max-snapshots=1", "--max-wals=1",
			"--quota-backend-bytes=" + strconv.Itoa(etcdQuota),
			"--log-level=warn", "--logger=zap",
		},
	}
}
