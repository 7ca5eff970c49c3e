package kubelet

import (
	"testing"
	"time"

	clienttesting "k8s.io/client-go/testing"
)

// The final delete has a UID precondition, so that it cannot delete a new pod of the same name.
func TestFinalDeleteHasUIDPrecondition(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod())
		uid := l.pod("web").UID
		l.delete("web", 1)
		l.after(5 * time.Second)
		var last *clienttesting.DeleteActionImpl
		for _, action := range l.client.Actions() {
			if d, ok := action.(clienttesting.DeleteActionImpl); ok && d.GetResource().Resource == "pods" {
				last = &d
			}
		}
		if last == nil {
			t.Fatal("pod was not deleted")
		}
		if p := last.DeleteOptions.Preconditions; p == nil || p.UID == nil || *p.UID != uid {
			t.Errorf("deleted with %+v", last.DeleteOptions)
		}
	})
}
