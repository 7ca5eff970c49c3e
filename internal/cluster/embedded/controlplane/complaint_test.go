package controlplane

import "testing"

func TestComplaints(t *testing.T) {
	for name, c := range map[string]struct {
		complaint  func(string) (string, bool)
		line, want string
	}{
		"etcd warns":  {etcdComplaint, `{"level":"warn","msg":"simple token"}`, ""},
		"etcd errs":   {etcdComplaint, `{"level":"error","msg":"failed to update storage version","error":"x"}`, ""},
		"etcd ends":   {etcdComplaint, `{"level":"fatal","msg":"failed to open","error":"file size too small"}`, "failed to open: file size too small"},
		"etcd panics": {etcdComplaint, `panic: getting file size failed: %!w(*errors.errorString=&{file size too small 5000})`, "getting file size failed: file size too small 5000"},
		"klog info":   {kubernetesComplaint, `I1121 18:14:56.1 9 x.go:1] fine`, ""},
		"klog fatal":  {kubernetesComplaint, `F1121 18:14:56.1 9 x.go:1] no certificate`, "no certificate"},
		"cobra":       {kubernetesComplaint, `Error: unknown flag: --x`, "unknown flag: --x"},
		"klog failed": {kubernetesComplaint, `E1121 18:14:56.1 9 run.go:72] "command failed" err="no etcd"`, `"command failed" err="no etcd"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := c.complaint(c.line)
			if got != c.want || found != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, found, c.want)
			}
		})
	}
}
