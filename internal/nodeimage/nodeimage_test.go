package nodeimage

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

const kindRef = "kindest/node:v1.37.0@sha256:abc"

var noSuchImage = reply{stderr: "Error: No such image: x"}

// debian is a machine that can build. Tests remove one requirement.
func debian() *host {
	return &host{
		system: "linux", root: true,
		find: func(program string) (string, error) { return "/usr/bin/" + program, nil },
		free: func(string) (uint64, error) { return 100 * gibibyte, nil },
	}
}

func options(t *testing.T, r *fakeRunner) Options {
	t.Helper()
	return Options{
		Source: checkout(t), CacheDir: t.TempDir(), Kind: t.TempDir(), Progress: &recorder{},
		runner: r, machine: debian(), imageRef: kindRef,
	}
}

func TestEnsurePrefersBuiltImage(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{"docker image inspect": {stdout: "sha256:1"}}}
	o := options(t, r)
	image, err := Ensure(t.Context(), o)
	want := mustRead(t, o.Source).ref()
	if err != nil || image != (Image{Ref: want, KubernetesVersion: "v1.36.3", Origin: OriginPresent}) {
		t.Errorf("image = %+v, %v; want %s", image, err, want)
	}
	if len(r.ran) != 1 {
		t.Errorf("an existing image caused %q", r.ran)
	}
}

func TestEnsureUsesImageOfKind(t *testing.T) {
	for _, there := range []string{kindRef, "kindest/node:v1.37.0"} { // pulled, and loaded from an archive
		r := &fakeRunner{replies: map[string]reply{
			"docker image inspect":                                            noSuchImage,
			"docker image inspect --format {{.Id}} " + kindRef:                noSuchImage,
			"docker image inspect --format {{.Id}} " + withoutDigest(kindRef): noSuchImage,
		}}
		r.replies["docker image inspect --format {{.Id}} "+there] = reply{stdout: "sha256:1"}
		image, err := Ensure(t.Context(), options(t, r))
		if err != nil || image != (Image{Ref: there, KubernetesVersion: "v1.37.0", Origin: OriginPresent}) {
			t.Errorf("with %s: image = %+v, %v", there, image, err)
		}
	}
}

func TestEnsurePulls(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{
		"docker image inspect": noSuchImage,
		"docker pull":          {stdout: "v1.37.0: Pulling"},
	}}
	o := options(t, r)
	o.Source = "" // no checkout is needed to pull
	image, err := Ensure(t.Context(), o)
	if err != nil || image != (Image{Ref: kindRef, KubernetesVersion: "v1.37.0", Origin: OriginPulled}) {
		t.Errorf("image = %+v, %v", image, err)
	}
}

func TestEnsureOfflineDoesNotPull(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{"docker image inspect": noSuchImage}}
	o := options(t, r)
	o.Offline = true
	o.Source = t.TempDir()
	if _, err := Ensure(t.Context(), o); !errors.Is(err, ErrNoSource) {
		t.Errorf("err = %v", err)
	}
	if r.count("docker pull") != 0 {
		t.Errorf("ran %q", r.ran)
	}
}

// A build follows the failed pull. It fails, because this machine lacks a requirement.
func TestEnsureBuildsIfPullFails(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{
		"docker image inspect": noSuchImage,
		"docker pull":          {stderr: "Error response from daemon: no such host"},
		"apt-get":              {stdout: ""},
	}}
	o := options(t, r)
	_, err := Ensure(t.Context(), o)
	if !errors.Is(err, errNoMirror) {
		t.Errorf("err = %v", err)
	}
	notes := o.Progress.(*recorder).notes
	if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "no such host") }) {
		t.Errorf("no note has the reason for the build: %q", notes)
	}
}

func TestPullFailsIfRegistryIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silentRegistry := &fakeRunner{replies: map[string]reply{"docker pull": {do: func(ctx context.Context, _ command) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}}}}
		if err := (engine{silentRegistry}).pull(t.Context(), kindRef, func(string) {}); !errors.Is(err, errNoAnswer) {
			t.Errorf("err = %v", err)
		}
		slow := &fakeRunner{replies: map[string]reply{"docker pull": {do: func(ctx context.Context, c command) error {
			c.line("v1.37.0: Pulling from kindest/node")
			<-ctx.Done()
			return context.Cause(ctx)
		}}}}
		if err := (engine{slow}).pull(t.Context(), kindRef, func(string) {}); !errors.Is(err, errStalled) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestNoEngine(t *testing.T) {
	cases := map[string]struct {
		replies map[string]reply
		want    string
	}{
		"no docker command": {map[string]reply{}, "make engine"},
		"no daemon": {
			map[string]reply{"docker": {stderr: "Cannot connect to the Docker daemon at unix:///x"}},
			"Cannot connect to the Docker daemon",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			o := options(t, &fakeRunner{replies: test.replies})
			_, err := Ensure(t.Context(), o)
			if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Ensure: %v", err)
			}
			if _, _, err := Present(t.Context(), o); !errors.Is(err, ErrNoEngine) {
				t.Errorf("Present: %v", err)
			}
		})
	}
}

func TestPresentOnlyInspects(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{"docker image inspect": noSuchImage}}
	image, found, err := Present(t.Context(), options(t, r))
	if err != nil || found {
		t.Errorf("found %v %+v, %v", found, image, err)
	}
	if len(r.ran) != r.count("docker image inspect") {
		t.Errorf("ran %q", r.ran)
	}
}

func TestEnsureReportsMissingRequirement(t *testing.T) {
	missing := func(name string) func(string) (string, error) {
		return func(program string) (string, error) {
			if program == name {
				return "", errors.New("not found")
			}
			return program, nil
		}
	}
	cases := map[string]struct {
		change func(*host)
		want   string
	}{
		"macOS":         {func(h *host) { h.system = "darwin" }, "darwin"},
		"Fedora":        {func(h *host) { h.find = missing("apt-get") }, "Debian or Ubuntu"},
		"not root":      {func(h *host) { h.root = false }, "sudo"},
		"no Go":         {func(h *host) { h.find = missing("go") }, "go command is not in PATH"},
		"no disk space": {func(h *host) { h.free = func(string) (uint64, error) { return gibibyte, nil } }, "1024 MiB free"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			r := &fakeRunner{replies: map[string]reply{"docker image inspect": noSuchImage, "docker pull": {stderr: "no"}}}
			o := options(t, r)
			test.change(o.machine)
			_, err := Ensure(t.Context(), o)
			if !errors.Is(err, ErrCannotBuild) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want %q", err, test.want)
			}
		})
	}
}

func TestOtherNodeImagesAreRemoved(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{
		"docker image list":                    {stdout: "ingresslab/node:old\ningresslab/node:used\ningresslab/node:new"},
		"docker image rm ingresslab/node:old":  {},
		"docker image rm ingresslab/node:used": {stderr: "conflict: image is being used by running container"},
		"docker image rm ingresslab/node:new":  {err: errors.New("the new image must stay")},
	}}
	if err := (engine{r}).removeOthers(t.Context(), repository, "ingresslab/node:new"); err != nil {
		t.Fatal(err)
	}
	if r.count("docker image rm") != 2 {
		t.Errorf("ran %q", r.ran)
	}
}
