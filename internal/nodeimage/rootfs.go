package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// suite is the Debian release that kind's own base image is made of.
const suite = "trixie"

// packages are what a node needs beside Go programs, by who needs it. The program that makes containers is Debian's: it is the one
// part of a container runtime that cannot be built without a C compiler. It is crun and not runc, which takes several times as long
// for each container; crun finds systemd by D-Bus. docs/decisions/0020-create-containers-with-crun.md has what that brings.
func packages() []string {
	return []string{
		"systemd", "procps", "bash", "ca-certificates", "curl", "jq", // the node itself
		"conntrack", "iptables", "nftables", "iproute2", "ethtool", // kube-proxy, pod network
		"util-linux", "mount", "kmod", "e2fsprogs", // kubelet
		"crun", "dbus", "pigz", // containerd
	}
}

// What a root file system leaves behind and nobody reads on a node. Licenses stay.
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

// Results of the stage, in its directory.
const (
	rootfsTar   = "rootfs.tar"
	nettoolsTar = "nettools.tar"
)

// rootfs is the stage that makes a Debian root file system.
type rootfs struct {
	mirror string // address of a Debian archive; empty: apt's configuration says
	runner runner
}

func (s rootfs) run(ctx context.Context, dir string, detail func(string)) error {
	detail("looking for a Debian archive")
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
	if err := os.WriteFile(hook, []byte(nettoolsScript), 0o755); err != nil { //nolint:gosec // it is run
		return err
	}
	// Everything that mmdebstrap unpacks goes away with dir if it is killed.
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

// keyring has the keys that sign Debian's releases. apt on a Debian machine trusts it
// anyway; on others it has to be named.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// ensureTools installs mmdebstrap, and brings the keyring up to date with it: a release's
// keys reach older releases as an update.
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

// explainBootstrap adds what to do where the message of apt does not say it.
func explainBootstrap(err error) error {
	var failed *failure
	if errors.As(err, &failed) && (strings.Contains(failed.tail, "NO_PUBKEY") || strings.Contains(failed.tail, "not signed")) {
		return fmt.Errorf("this machine's keys are older than Debian's %s: apt-get install --only-upgrade debian-archive-keyring: %w",
			suite, err)
	}
	return err
}

// shellQuote makes one word of text for sh, which is what mmdebstrap runs hooks with.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
