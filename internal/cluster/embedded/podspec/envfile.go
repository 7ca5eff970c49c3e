package podspec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// envFile returns a variable from a file that an init container left in an emptyDir
// (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/). An empty value counts as
// none, as kubelets have it.
func envFile(pod Pod, ref *corev1.FileKeySelector) (value string, ok bool, err error) {
	text, err := readInside(volumeDir(pod, ref.VolumeName), ref.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isTrue(ref.Optional):
		return "", false, nil
	case err != nil:
		return "", false, configErrorf("couldn't read env file %q of volume %q: %v", ref.Path, ref.VolumeName, err)
	}
	variables, err := parseEnvFile(text)
	if err != nil {
		return "", false, configErrorf("couldn't parse env file: %v", err)
	}
	value = variables[ref.Key]
	if value == "" && !isTrue(ref.Optional) {
		return "", false, configErrorf("environment variable key %q not found in file %q", ref.Key, ref.Path)
	}
	return value, value != "", nil
}

func readInside(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	// A container wrote it, and may have made a pipe of it, which would be waited for, or more than there is memory for.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a file")
	case info.Size() > mostEnvFile:
		return "", fmt.Errorf("it has more than %d bytes", mostEnvFile)
	}
	content, err := io.ReadAll(io.LimitReader(f, mostEnvFile))
	return string(content), err
}

// mostEnvFile is more than a program can be given as its environment (MAX_ARG_STRLEN in execve(2) is 128 KiB for each).
const mostEnvFile = 1 << 20

// parseEnvFile reads lines of NAME='value', comments and empty lines. A value is taken as it is and may have several lines;
// a space before the quote makes it empty, as in a shell. The first of two values wins.
func parseEnvFile(text string) (map[string]string, error) {
	variables := map[string]string{}
	for number := 1; text != ""; number++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, found := strings.Cut(line, "=")
		switch {
		case !found:
			return nil, fmt.Errorf("line %d: missing '='", number)
		case name == "" || strings.ContainsAny(name, " \t"):
			return nil, fmt.Errorf("line %d: no name before '=', or a space in it", number)
		}
		value := ""
		if !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "\t") {
			if !strings.HasPrefix(rest, "'") {
				return nil, fmt.Errorf("line %d: value must be enclosed in single quotes", number)
			}
			start := number
			var closed bool
			var after string
			for value, after, closed = strings.Cut(rest[1:], "'"); !closed; value, after, closed = strings.Cut(rest[1:], "'") {
				if text == "" {
					return nil, fmt.Errorf("line %d: the single quote is not closed", start)
				}
				line, text, _ = strings.Cut(text, "\n")
				rest += "\n" + strings.TrimSuffix(line, "\r")
				number++
			}
			if after = strings.TrimLeft(after, " \t"); after != "" && after[0] != '#' {
				return nil, fmt.Errorf("line %d: text after the closing quote", number)
			}
		}
		if _, known := variables[name]; !known {
			variables[name] = value
		}
	}
	return variables, nil
}
