//go:build linux

package network

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

func TestRefusalNamesSysctl(t *testing.T) {
	for _, tc := range []struct {
		name     string
		uid      int
		cause    error
		settings map[string]string
		want     []string
		wantNot  []string
	}{
		{"Debian", 1000, syscall.EPERM, map[string]string{"kernel.unprivileged_userns_clone": "0", "user.max_user_namespaces": "63000"},
			[]string{"as user 1000", "operation not permitted", "sudo sysctl -w kernel.unprivileged_userns_clone=1", "or run ingresslab as root"},
			[]string{"max_user_namespaces"}},
		{"Ubuntu", 1000, syscall.EPERM,
			map[string]string{"kernel.unprivileged_userns_clone": "1", "kernel.apparmor_restrict_unprivileged_userns": "1"},
			[]string{"sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}, []string{"unprivileged_userns_clone=1"}},
		{"Red Hat", 1000, syscall.ENOSPC, map[string]string{"user.max_user_namespaces": "0"},
			[]string{"sudo sysctl -w user.max_user_namespaces=15000"}, nil},
		{"limit reached", 1000, syscall.ENOSPC, map[string]string{"user.max_user_namespaces": "10"},
			[]string{"a limit on their number"}, []string{"sysctl -w"}},
		{"container", 0, syscall.EPERM, map[string]string{"kernel.unprivileged_userns_clone": "0"},
			[]string{"as user 0", "CAP_SYS_ADMIN"}, []string{"unprivileged_userns_clone", "sudo"}},
		{"other cause", 1000, syscall.EPERM, nil, []string{"security module", "sudo"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := refusal(tc.uid, tc.cause, func(name string) (string, bool) { v, ok := tc.settings[name]; return v, ok })
			if !errors.Is(err, tc.cause) {
				t.Errorf("the error does not wrap the cause: %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
			for _, not := range tc.wantNot {
				if strings.Contains(err.Error(), not) {
					t.Errorf("unexpected %q in: %v", not, err)
				}
			}
		})
	}
}
