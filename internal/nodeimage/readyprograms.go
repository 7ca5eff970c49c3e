package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kubeBinVariable is the variable of the environment that names a directory with ready programs.
const kubeBinVariable = "INGRESSLAB_KUBE_BIN"

// readyPrograms is a directory that should hold the programs of a control plane.
type readyPrograms string

// missing returns an error that names what is not there or cannot be run.
func (d readyPrograms) missing() error {
	var problems []error
	for _, program := range append(controlPlanePrograms(), etcdProgram) {
		info, err := os.Stat(filepath.Join(string(d), program))
		const executable = 0o111
		switch {
		case errors.Is(err, os.ErrNotExist):
			problems = append(problems, fmt.Errorf("no %s", program))
		case err != nil:
			problems = append(problems, err)
		case !info.Mode().IsRegular() || info.Mode()&executable == 0:
			problems = append(problems, fmt.Errorf("%s is no program", program))
		}
	}
	return errors.Join(problems...)
}

// check makes sure that every program is there and runs, and returns the version of the API server.
func (d readyPrograms) check(ctx context.Context, with runner) (version string, err error) {
	if err := d.missing(); err != nil {
		return "", fmt.Errorf("%s=%s: %w", kubeBinVariable, d, err)
	}
	var problems []error
	for _, program := range append(controlPlanePrograms(), etcdProgram) {
		answer, err := output(ctx, with, command{name: filepath.Join(string(d), program), args: []string{"--version"}})
		if err == nil && program == controlPlanePrograms()[0] {
			version, err = kubernetesVersionIn(answer)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return "", fmt.Errorf("%s=%s: %w", kubeBinVariable, d, err)
	}
	return version, nil
}

// kubernetesVersionIn reads an answer such as "Kubernetes v1.36.3".
func kubernetesVersionIn(answer string) (string, error) {
	words := strings.Fields(answer)
	if len(words) == 2 && words[0] == "Kubernetes" && strings.HasPrefix(words[1], "v") {
		return words[1], nil
	}
	return "", fmt.Errorf("%s --version answers %q", controlPlanePrograms()[0], answer)
}
