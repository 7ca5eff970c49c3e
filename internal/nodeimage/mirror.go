package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// errNoMirror is what a machine gets whose apt knows no Debian archive.
var errNoMirror = errors.New("apt on this machine is configured for no Debian archive, and a node's root file system is " +
	"made of Debian packages: name a mirror in INGRESSLAB_DEBIAN_MIRROR")

// debianMirror finds the address of a Debian archive in apt's own configuration: the one
// place that says what this machine, behind whatever network, installs packages from.
func debianMirror(ctx context.Context, r runner) (string, error) {
	mirror, err := configuredMirror(ctx, r)
	if !errors.Is(err, errNoMirror) {
		return mirror, err
	}
	// apt learns an archive's origin from its index, and a fresh machine has none yet.
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

// chooseMirror picks the first archive that has all of Debian: the suites for security and
// other updates are archives or parts of their own, and hold a fraction of the packages.
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

// aptOptions carries over what apt needs to get out of this network. mmdebstrap runs an apt
// with a configuration of its own, which knows nothing of the host's.
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
		if strings.HasPrefix(line, "Acquire::http") { // and https
			options = append(options, line)
		}
	}
	return options, nil
}
