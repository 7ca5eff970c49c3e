package controlplane

import "testing"

func TestFatalMessage(t *testing.T) {
	for name, c := range map[string]struct {
		fatal      func(string) (string, bool)
		line, want string
	}{
		"etcd warning": {etcdFatalMessage, `{"level":"warn","msg":"simple token"}`, ""},
		"etcd error":   {etcdFatalMessage, `{"level":"error","msg":"failed to update storage version","error":"x"}`, ""},
		"etcd fatal": {etcdFatalMessage, `{"level":"fatal","msg":"failed to open","error":"file size too small"}`,
			"failed to open: file size too small"},
		"etcd panic": {etcdFatalMessage, `panic: getting file size failed: %!w(*errors.errorString=&{file size too small 5000})`,
			"getting file size failed: file size too small 5000"},
		"klog info":  {kubernetesFatalMessage, `I1121 18:14:56.1 9 x.go:1] fine`, ""},
		"klog fatal": {kubernetesFatalMessage, `F1121 18:14:56.1 9 x.go:1] no certificate`, "no certificate"},
		"cobra":      {kubernetesFatalMessage, `Error: unknown flag: --x`, "unknown flag: --x"},
		"klog failed": {kubernetesFatalMessage, `E1121 18:14:56.1 9 run.go:72] "command failed" err="no etcd"`,
			`"command failed" err="no etcd"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := c.fatal(c.line)
			if got != c.want || found != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, found, c.want)
			}
		})
	}
}
