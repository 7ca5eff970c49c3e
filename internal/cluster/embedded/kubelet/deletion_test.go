package kubelet

import (
	"testing"
	"time"

	clienttesting "k8s.io/client-go/testing"
)

// What is deleted for good is the pod that has ended, and not one that has got its name meanwhile.
func TestTheLastDeletionNamesThePod(t *testing.T) {
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
			t.Fatal("the pod was not deleted")
		}
		if p := last.DeleteOptions.Preconditions; p == nil || p.UID == nil || *p.UID != uid {
			t.Errorf("deleted with %+v", last.DeleteOptions)
		}
	})
}
