package nodeimage

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestChooseMirror(t *testing.T) {
	cases := map[string]struct{ listing, want string }{
		"suite with all packages, not the updates": {
			"Debian|bookworm-security|http://mirror.test/debian-security/\n" +
				"Debian|bookworm-updates|http://mirror.test/debian/\n" +
				"Debian|bookworm|http://mirror.test/main/\n",
			"http://mirror.test/main/",
		},
		"other archive first": {
			"Tools Inc|stable|https://tools.test/\nDebian|trixie|https://mirror.test/debian/\n", "https://mirror.test/debian/",
		},
		"local copy":   {"Debian|trixie|file:/srv/debian/\n", "file:/srv/debian/"},
		"Ubuntu":       {"Ubuntu|noble|http://mirror.test/ubuntu/\n", ""},
		"CD-ROM":       {"Debian|trixie|cdrom:[Debian]/\n", ""},
		"no index yet": {"||http://mirror.test/debian/\n", ""},
		"nothing":      {"", ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := chooseMirror(test.listing)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if (test.want == "") != errors.Is(err, errNoMirror) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestDebianMirrorRunsAptUpdateOnce(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{
		"apt-get indextargets": {stdout: "||http://mirror.test/debian/"},
	}}
	r.replies["apt-get update"] = reply{stdout: ""}
	if _, err := debianMirror(t.Context(), r); !errors.Is(err, errNoMirror) || !strings.Contains(err.Error(), "INGRESSLAB_DEBIAN_MIRROR") {
		t.Errorf("err = %v, want one that names INGRESSLAB_DEBIAN_MIRROR", err)
	}
	if r.count("apt-get update") != 1 {
		t.Errorf("ran %q", r.ran)
	}
}

func TestAptOptionsContainProxy(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{
		"apt-config dump": {stdout: "Acquire::cdrom::mount \"/media\";\nAcquire::http::Proxy \"http://proxy.test:3128\";\n"},
	}}
	options, err := aptOptions(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(options, `Acquire::http::Proxy "http://proxy.test:3128";`) || strings.Contains(strings.Join(options, ""), "cdrom") {
		t.Errorf("options = %q", options)
	}
}

func TestBootstrapErrorHasFixForOldKeyring(t *testing.T) {
	failed := &failure{command: "mmdebstrap", tail: "W: GPG error: trixie InRelease: NO_PUBKEY 0123", err: errors.New("exit status 1")}
	err := explainBootstrap(failed)
	if !errors.Is(err, failed) || !strings.Contains(err.Error(), "debian-archive-keyring") {
		t.Errorf("err = %v", err)
	}
}

func TestBootstrapQuotesPaths(t *testing.T) {
	args := bootstrapArguments("/home/o'neil/my cache", "http://mirror.test/", nil)
	hook := args[slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--customize-hook=") })]
	if !strings.Contains(hook, `'/home/o'\''neil/my cache/nettools.sh' "$1" '/home/o'\''neil/my cache/nettools.tar'`) {
		t.Errorf("hook = %s", hook)
	}
	if args[len(args)-1] != "http://mirror.test/" || args[len(args)-3] != suite {
		t.Errorf("the last arguments are %q", args[len(args)-3:])
	}
}
