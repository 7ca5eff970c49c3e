package kubelet

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The first restart is immediate, the next after 10 s, then 20 s. After a run of ten minutes, the
// delays start again.
func TestCrashLoopBackOffGrows(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{exits: &fakeExit{code: 3, after: time.Second}})
		l.create(webPod())
		l.after(time.Second)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 1 || c.LastTerminationState.Terminated.ExitCode != 3 {
			t.Errorf("after the first exit: %+v", c)
		}
		l.after(2500 * time.Millisecond)
		c := l.container("web", "web")
		if c.State.Waiting == nil || c.State.Waiting.Reason != "CrashLoopBackOff" || c.Ready || c.RestartCount != 1 ||
			c.State.Waiting.Message != "back-off 10s restarting failed container=web pod=web_shop(uid-1)" ||
			c.LastTerminationState.Terminated == nil {
			t.Errorf("after the second exit: %+v", c)
		}
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodRunning ||
			condition(pod.Status.Conditions, corev1.PodReady).Status != corev1.ConditionFalse {
			t.Errorf("status in a crash loop: %+v", pod.Status)
		}
		l.wantEvent("Warning BackOff: Back-off restarting failed container web in pod web_shop(uid-1)")
		l.after(10 * time.Second)
		if c := l.container("web", "web"); c.RestartCount != 2 {
			t.Errorf("after the back-off: %+v", c)
		}
		l.runtime.does("web", program{})
		l.after(22 * time.Second)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 3 || !c.Ready {
			t.Errorf("without crashes: %+v", c)
		}
		l.after(11 * time.Minute)
		l.runtime.latest("web").end(1)
		l.after(100 * time.Millisecond)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 4 {
			t.Errorf("exit after a long run: %+v", c)
		}
	})
}

func TestRestartPolicyDecidesRestart(t *testing.T) {
	for _, c := range []struct {
		policy corev1.RestartPolicy
		code   int
		phase  corev1.PodPhase
		reason string
	}{
		{corev1.RestartPolicyNever, 0, corev1.PodSucceeded, "Completed"},
		{corev1.RestartPolicyNever, 7, corev1.PodFailed, "Error"},
		{corev1.RestartPolicyOnFailure, 0, corev1.PodSucceeded, "Completed"},
	} {
		withNode(t, nil, func(l *rig) {
			l.runtime.does("web", program{exits: &fakeExit{code: c.code, after: time.Second}})
			l.create(webPod(func(p *corev1.Pod) { p.Spec.RestartPolicy = c.policy }))
			l.after(time.Minute)
			pod, status := l.pod("web"), l.container("web", "web")
			if pod.Status.Phase != c.phase || status.State.Terminated == nil || status.State.Terminated.Reason != c.reason ||
				status.RestartCount != 0 {
				t.Errorf("%s with exit code %d: %+v", c.policy, c.code, pod.Status)
			}
			if pod.Status.PodIP == "" {
				t.Errorf("an ended pod has no address")
			}
		})
	}
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{exits: &fakeExit{code: 1, after: time.Second}})
		l.create(webPod(func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }))
		l.after(1500 * time.Millisecond)
		if c := l.container("web", "web"); c.RestartCount != 1 {
			t.Errorf("OnFailure after a failure: %+v", c)
		}
	})
}

// Init containers run in order before the app containers. A sidecar keeps running.
func TestInitContainersRunInOrder(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	withNode(t, nil, func(l *rig) {
		for _, name := range []string{"first", "second"} {
			l.runtime.does(name, program{exits: &fakeExit{after: 5 * time.Second}})
		}
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{
				{Name: "first", Image: "web:1"}, {Name: "proxy", Image: "web:1", RestartPolicy: &always}, {Name: "second", Image: "web:1"},
			}
		}))
		pod := l.pod("web")
		if c := condition(pod.Status.Conditions, corev1.PodInitialized); c.Status != corev1.ConditionFalse ||
			c.Reason != "ContainersNotInitialized" ||
			c.Message != "containers with incomplete status: [first proxy second]" {
			t.Errorf("condition: %+v", c)
		}
		if c := l.container("web", "web"); c.State.Waiting == nil || c.State.Waiting.Reason != "PodInitializing" ||
			pod.Status.Phase != corev1.PodPending {
			t.Errorf("container %+v in phase %s", c, pod.Status.Phase)
		}
		l.after(6 * time.Second)
		if got := l.runtime.names(); !slices.Equal(got, []string{"first", "proxy", "second"}) {
			t.Errorf("started: %v", got)
		}
		l.after(5 * time.Second)
		if got := l.runtime.names(); !slices.Equal(got, []string{"first", "proxy", "second", "web"}) {
			t.Errorf("started: %v", got)
		}
		if c := l.container("web", "second"); !c.Ready || c.State.Terminated.Reason != "Completed" || *c.Started {
			t.Errorf("second: %+v", c)
		}
		if c := l.container("web", "proxy"); !c.Ready || c.State.Running == nil {
			t.Errorf("proxy: %+v", c)
		}
		l.runtime.latest("proxy").end(1)
		l.after(time.Second)
		if c := l.container("web", "proxy"); c.State.Running == nil || c.RestartCount != 1 {
			t.Errorf("proxy after its exit: %+v", c)
		}
	})
}

// A running sidecar does not delay the completion of a pod.
func TestSidecarStopsWhenPodCompletes(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{exits: &fakeExit{after: 5 * time.Second}})
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.RestartPolicy = corev1.RestartPolicyNever
			p.Spec.InitContainers = []corev1.Container{{Name: "proxy", Image: "web:1", RestartPolicy: &always}}
		}))
		l.after(6 * time.Second)
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodSucceeded {
			t.Errorf("status: %+v", pod.Status)
		}
	})
}

// With restartPolicy Never, a failed init container fails the pod.
func TestFailedInitContainerFailsPod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("first", program{exits: &fakeExit{code: 1, after: time.Second}})
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.RestartPolicy = corev1.RestartPolicyNever
			p.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "web:1"}}
		}))
		l.after(2 * time.Second)
		if pod := l.pod("web"); pod.Status.Phase != corev1.PodFailed || l.container("web", "web").State.Waiting == nil {
			t.Errorf("status: %+v", pod.Status)
		}
	})
}

// For an unknown image, the status lists the loaded images: first ErrImagePull, then
// ImagePullBackOff. The container starts soon after the image is loaded.
func TestUnknownImageBacksOffUntilLoaded(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "nginx:1.27" }))
		c := l.container("web", "web")
		if c.State.Waiting == nil || c.State.Waiting.Reason != "ErrImagePull" || !strings.Contains(c.State.Waiting.Message, "available: web:1") {
			t.Errorf("first state: %+v", c.State)
		}
		l.after(5 * time.Second)
		c = l.container("web", "web")
		if c.State.Waiting == nil || c.State.Waiting.Reason != "ImagePullBackOff" ||
			!strings.HasPrefix(c.State.Waiting.Message, `Back-off pulling image "nginx:1.27": ErrImagePull: `) {
			t.Errorf("later state: %+v", c.State)
		}
		l.wantEvent(`Normal BackOff: Back-off pulling image "nginx:1.27"`)
		l.wantEvent("Warning Failed: Error: ErrImagePull")
		l.wantEvent("Warning Failed: Error: ImagePullBackOff")
		l.after(2 * time.Minute)
		l.images.load("nginx:1.27")
		l.after(3 * time.Second)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 0 {
			t.Errorf("with the image: %+v", c)
		}
	})
}

func TestInvalidAndNeverPulledImages(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.create(webPod(func(p *corev1.Pod) {
			p.Spec.Containers = []corev1.Container{
				{Name: "never", Image: "nginx:1.27", ImagePullPolicy: corev1.PullNever}, {Name: "bad", Image: "Not A Reference"},
			}
		}))
		if c := l.container("web", "never"); c.State.Waiting.Reason != "ErrImageNeverPull" ||
			c.State.Waiting.Message != `Container image "nginx:1.27" is not present with pull policy of Never` {
			t.Errorf("never: %+v", c.State.Waiting)
		}
		if c := l.container("web", "bad"); c.State.Waiting.Reason != "InvalidImageName" {
			t.Errorf("bad: %+v", c.State.Waiting)
		}
	})
}

// A pod waits for a missing Secret, with an Event, and starts when the Secret exists.
func TestPodWaitsForMissingVolume(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.specs.set(errors.New(`MountVolume.SetUp failed for volume "cert" : secret "web-tls" not found`), nil)
		l.create(webPod())
		l.after(time.Second)
		if c := l.container("web", "web"); c.State.Waiting == nil || c.State.Waiting.Reason != "ContainerCreating" {
			t.Errorf("container: %+v", c.State)
		}
		l.wantEvent(`Warning FailedMount: MountVolume.SetUp failed for volume "cert" : secret "web-tls" not found`)
		l.specs.set(nil, nil)
		l.after(10 * time.Second)
		if c := l.container("web", "web"); c.State.Running == nil {
			t.Errorf("container: %+v", c.State)
		}
	})
}

func TestContainerWaitsForMissingConfigMap(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.specs.set(nil, errors.New(`configmap "settings" not found`))
		l.create(webPod())
		l.after(time.Second)
		if c := l.container("web", "web"); c.State.Waiting == nil || c.State.Waiting.Reason != "CreateContainerConfigError" ||
			c.State.Waiting.Message != `configmap "settings" not found` {
			t.Errorf("container: %+v", c.State)
		}
		l.specs.set(nil, nil)
		l.after(10 * time.Second)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 0 {
			t.Errorf("container: %+v", c)
		}
	})
}

// A command that is not in the image counts as an exit, and the container restarts.
func TestStartErrorCountsAsExit(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{starting: errors.New(`exec: "nope": executable file not found in $PATH`)})
		l.create(webPod())
		l.after(time.Second)
		c := l.container("web", "web")
		if c.State.Waiting == nil || c.State.Waiting.Reason != "RunContainerError" || c.LastTerminationState.Terminated == nil ||
			c.LastTerminationState.Terminated.Reason != "StartError" || c.LastTerminationState.Terminated.ExitCode != 128 {
			t.Errorf("container: %+v", c)
		}
		l.after(5 * time.Second)
		if c := l.container("web", "web"); c.State.Waiting == nil || c.State.Waiting.Reason != "CrashLoopBackOff" {
			t.Errorf("container: %+v", c)
		}
		l.wantEvent(`Warning Failed: Error: exec: "nope": executable file not found in $PATH`)
	})
}
