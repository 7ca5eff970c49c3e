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
	"k8s.io/utils/ptr"
)

// envFile returns a variable from a file that an init container wrote to an emptyDir
// (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/).
// As in a kubelet, an empty value counts as missing.
func envFile(pod Pod, ref *corev1.FileKeySelector) (value string, ok bool, err error) {
	text, err := readInside(volumeDir(pod, ref.VolumeName), ref.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && ptr.Deref(ref.Optional, false):
		return "", false, nil
	case err != nil:
		return "", false, configErrorf("couldn't read env file %q of volume %q: %v", ref.Path, ref.VolumeName, err)
	}
	variables, err := parseEnvFile(text)
	if err != nil {
		return "", false, configErrorf("couldn't parse env file: %v", err)
	}
	value = variables[ref.Key]
	if value == "" && !ptr.Deref(ref.Optional, false) {
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
	// A container wrote the file. It might be a pipe, which would block, or be too large for memory.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("not a regular file")
	case info.Size() > maxEnvFile:
		return "", fmt.Errorf("larger than %d bytes", maxEnvFile)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxEnvFile))
	return string(content), err
}

// maxEnvFile exceeds the limit of a variable, 128 KiB (MAX_ARG_STRLEN in execve(2)).
const maxEnvFile = 1 << 20

// parseEnvFile parses lines of NAME='value', comments, and empty lines. A value can have several
// lines. As in a shell, a space before the quote makes it empty. The first value of a name wins.
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
			return nil, fmt.Errorf("line %d: name before '=' is empty or has a space", number)
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
					return nil, fmt.Errorf("line %d: single quote is not closed", start)
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
