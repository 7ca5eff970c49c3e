package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// modulePath is the module whose sources the images are made of.
const modulePath = "github.com/ingresslab/ingresslab"

// NoCheckoutError says that no checkout of the project was found.
type NoCheckoutError struct {
	// Searched are the directories from which it was looked for upwards.
	Searched []string
}

func (e *NoCheckoutError) Error() string {
	return fmt.Sprintf("no checkout of %s in %s or above: the controller and the labs are built from its sources; change into one",
		modulePath, strings.Join(e.Searched, " or "))
}

// FindCheckout returns the root directory of the checkout that contains one of
// the directories, trying them in order. If there is none the error is a
// *NoCheckoutError.
func FindCheckout(from ...string) (string, error) {
	for _, dir := range from {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("find the checkout: %w", err)
		}
		for d := abs; ; d = filepath.Dir(d) {
			ours, err := isCheckout(d)
			if err != nil {
				return "", fmt.Errorf("find the checkout: %w", err)
			}
			if ours {
				return d, nil
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	return "", &NoCheckoutError{Searched: from}
}

func isCheckout(dir string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			return strings.Trim(f[1], `"`) == modulePath, nil
		}
	}
	return false, nil
}
