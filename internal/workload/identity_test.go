package workload_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload"
)

func surroundings(env map[string]string, hostname, namespace string) workload.Surroundings {
	return workload.Surroundings{
		Getenv: func(name string) string { return env[name] },
		Hostname: func() (string, error) {
			if hostname == "" {
				return "", errors.New("no name")
			}
			return hostname, nil
		},
		ReadFile: func(path string) ([]byte, error) {
			if namespace == "" || path != "/var/run/secrets/kubernetes.io/serviceaccount/namespace" {
				return nil, fs.ErrNotExist
			}
			return []byte(namespace), nil
		},
	}
}

func TestIdentify(t *testing.T) {
	downward := map[string]string{"POD_NAME": "web-1", "POD_NAMESPACE": "shop", "NODE_NAME": "worker"}
	tests := map[string]struct {
		from     workload.Surroundings
		want     workload.Identity
		servedBy string
	}{
		"the downward API wins over the host name and the mount": {
			from:     surroundings(downward, "host", "mounted"),
			want:     workload.Identity{Namespace: "shop", Pod: "web-1", Node: "worker"},
			servedBy: "shop/web-1",
		},
		"without it the host name is the pod's": {
			from:     surroundings(nil, "cheddar-5d8f", "lab-1\n"),
			want:     workload.Identity{Namespace: "lab-1", Pod: "cheddar-5d8f"},
			servedBy: "lab-1/cheddar-5d8f",
		},
		"a pod without a service account does not know its namespace": {
			from:     surroundings(nil, "cheddar-5d8f", ""),
			want:     workload.Identity{Pod: "cheddar-5d8f"},
			servedBy: "-/cheddar-5d8f",
		},
		"nothing is known": {
			from:     surroundings(nil, "", ""),
			want:     workload.Identity{Pod: "unknown"},
			servedBy: "-/unknown",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := workload.Identify(tt.from)
			if got != tt.want {
				t.Errorf("Identify = %+v, want %+v", got, tt.want)
			}
			if got.ServedBy() != tt.servedBy {
				t.Errorf("ServedBy = %q, want %q", got.ServedBy(), tt.servedBy)
			}
		})
	}
}
