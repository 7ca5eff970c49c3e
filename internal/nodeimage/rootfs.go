package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// suite is the Debian release of kind's base image.
const suite = "trixie"

// packages returns a node's Debian packages. Building a container runtime needs a C compiler. crun
// is several times as fast as runc (docs/decisions/0020-create-containers-with-crun.md) and uses
// D-Bus to reach systemd.
func packages() []string {
	return []string{
		"systemd", "procps", "bash", "ca-certificates", "curl", "jq", // the node itself
		"conntrack", "iptables", "nftables", "iproute2", "ethtool", // kube-proxy, pod network
		"util-linux", "mount", "kmod", "e2fsprogs", // kubelet
		"crun", "dbus", "pigz", // containerd
	}
}

// unpackOptions exclude documentation, but not licenses.
func unpackOptions() []string {
	return []string{
		"path-exclude=/usr/share/man/*",
		"path-exclude=/usr/share/info/*",
		"path-exclude=/usr/share/locale/*",
		"path-exclude=/usr/share/doc/*",
		"path-include=/usr/share/doc/*/copyright",
	}
}

func rootfsDescription() string {
	return fmt.Sprintf("%q %q %q", suite, packages(), unpackOptions())
}

const (
	rootfsTar   = "rootfs.tar"
	nettoolsTar = "nettools.tar"
)

// rootfs is the stage that creates a Debian root file system.
type rootfs struct {
	mirror string // URL of a Debian archive; default: from apt's configuration
	runner runner
}

func (s rootfs) run(ctx context.Context, dir string, detail func(string)) error {
	detail("searching for a Debian archive")
	mirror := s.mirror
	if mirror == "" {
		found, err := debianMirror(ctx, s.runner)
		if err != nil {
			return err
		}
		mirror = found
	}
	if err := s.ensureTools(ctx, detail); err != nil {
		return err
	}
	apt, err := aptOptions(ctx, s.runner)
	if err != nil {
		return err
	}
	hook := filepath.Join(dir, "nettools.sh")
	if err := os.WriteFile(hook, []byte(nettoolsScript), 0o755); err != nil { //nolint:gosec // mmdebstrap runs it
		return err
	}
	// If mmdebstrap is killed, its temporary files are removed with dir.
	temporary := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temporary, 0o755); err != nil {
		return err
	}
	detail("unpacking packages of " + suite)
	err = s.runner.run(ctx, command{
		name: "mmdebstrap",
		args: bootstrapArguments(dir, mirror, apt),
		env:  []string{"TMPDIR=" + temporary},
		line: func(line string) { detail(strings.TrimPrefix(line, "I: ")) },
	})
	if err != nil {
		return explainBootstrap(err)
	}
	return errors.Join(os.RemoveAll(temporary), os.Remove(hook))
}

func bootstrapArguments(dir, mirror string, apt []string) []string {
	args := []string{
		"--mode=root", "--variant=minbase", "--components=main",
		"--include=" + strings.Join(packages(), ","),
		fmt.Sprintf("--customize-hook=sh %s \"$1\" %s",
			shellQuote(filepath.Join(dir, "nettools.sh")), shellQuote(filepath.Join(dir, nettoolsTar))),
	}
	for _, option := range apt {
		args = append(args, "--aptopt="+option)
	}
	for _, option := range unpackOptions() {
		args = append(args, "--dpkgopt="+option)
	}
	if _, err := os.Stat(keyring); err == nil {
		args = append(args, "--keyring="+keyring)
	}
	return append(args, suite, filepath.Join(dir, rootfsTar), mirror)
}

// keyring has the keys of Debian's releases, which apt on other systems does not trust by default.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// ensureTools installs mmdebstrap and updates the keyring, which gets the keys of new releases.
func (s rootfs) ensureTools(ctx context.Context, detail func(string)) error {
	probe := command{name: "mmdebstrap", args: []string{"--version"}}
	if _, err := output(ctx, s.runner, probe); err == nil {
		return nil
	}
	detail("installing mmdebstrap")
	install := command{
		name: "apt-get",
		args: []string{
			"-o", "DPkg::Lock::Timeout=300", "-qq", "install", "-y", "--no-install-recommends",
			"mmdebstrap", "debian-archive-keyring",
		},
		env:  []string{"DEBIAN_FRONTEND=noninteractive"},
		line: detail,
	}
	if s.runner.run(ctx, install) == nil {
		return nil
	}
	if err := s.runner.run(ctx, command{name: "apt-get", args: []string{"update", "-qq"}}); err != nil {
		return fmt.Errorf("read package lists: %w", err)
	}
	if err := s.runner.run(ctx, install); err != nil {
		return fmt.Errorf("install mmdebstrap: %w", err)
	}
	return nil
}

// explainBootstrap adds the fix for outdated keys.
func explainBootstrap(err error) error {
	if failed, ok := errors.AsType[*failure](err); ok &&
		(strings.Contains(failed.tail, "NO_PUBKEY") || strings.Contains(failed.tail, "not signed")) {
		return fmt.Errorf("the keyring of this machine is too old for Debian %s; run `apt-get install --only-upgrade debian-archive-keyring`: %w",
			suite, err)
	}
	return err
}

// shellQuote quotes text for sh, which mmdebstrap runs hooks with.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// errNoMirror means that apt's configuration contains no Debian archive.
var errNoMirror = errors.New("the configuration of apt contains no Debian archive, which is required for the root file system of a node; " +
	"set INGRESSLAB_DEBIAN_MIRROR to the URL of a mirror")

// debianMirror returns the URL of the Debian archive in apt's configuration.
func debianMirror(ctx context.Context, r runner) (string, error) {
	mirror, err := configuredMirror(ctx, r)
	if !errors.Is(err, errNoMirror) {
		return mirror, err
	}
	// Download the indexes, which contain the archives' origins. A new machine has none yet.
	update := command{name: "apt-get", args: []string{"update", "-qq"}}
	if err := r.run(ctx, update); err != nil {
		return "", fmt.Errorf("read package lists: %w", err)
	}
	return configuredMirror(ctx, r)
}

func configuredMirror(ctx context.Context, r runner) (string, error) {
	listing, err := output(ctx, r, command{
		name: "apt-get",
		args: []string{"indextargets", "--format", "$(ORIGIN)|$(CODENAME)|$(REPO_URI)", "Created-By: Packages"},
	})
	if err != nil {
		return "", fmt.Errorf("read apt's configuration: %w", err)
	}
	return chooseMirror(listing)
}

// chooseMirror returns the first complete archive. CODENAME-security has only a few packages.
func chooseMirror(listing string) (string, error) {
	for line := range strings.Lines(listing) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		const wanted = 3
		if len(fields) != wanted || fields[0] != "Debian" || strings.Contains(fields[1], "-") {
			continue
		}
		scheme, _, _ := strings.Cut(fields[2], ":")
		switch scheme {
		case "http", "https", "file", "copy":
			return fields[2], nil
		}
	}
	return "", errNoMirror
}

// aptOptions returns the host's proxy settings, which the apt of mmdebstrap does not read.
func aptOptions(ctx context.Context, r runner) ([]string, error) {
	dump, err := output(ctx, r, command{
		name: "apt-config", args: []string{"dump", "--no-empty", "--format", `%f "%v";%n`, "Acquire"},
	})
	if err != nil {
		return nil, fmt.Errorf("read apt's configuration: %w", err)
	}
	options := []string{`Acquire::Retries "3";`}
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Acquire::http") { // this prefix matches https, too
			options = append(options, line)
		}
	}
	return options, nil
}
