package kubelet

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// hook runs a postStart or preStop hook (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/).
func (w *worker) hook(ctx context.Context, spec *corev1.Container, c container.Container, h *corev1.LifecycleHandler) error {
	switch {
	case h.Exec != nil:
		var output bytes.Buffer
		code, err := c.Exec(ctx, container.Exec{Command: h.Exec.Command, Stdout: &output, Stderr: &output})
		if err == nil && code != 0 {
			err = fmt.Errorf("command ended with exit code %d: %s", code, output.String())
		}
		return err
	case h.Sleep != nil:
		pause(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
		return ctx.Err()
	default:
		_ = spec // HTTP hooks come with the probes
		return nil
	}
}
