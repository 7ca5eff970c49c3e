package lab_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/lab"
)

func TestALabIsLockedInOneCluster(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	xdg.Reload()
	t.Cleanup(xdg.Reload)
	l := hostRouting(t)
	release, err := lab.Lock(l, "mine", "learn")
	if err != nil {
		t.Fatal(err)
	}
	_, err = lab.Lock(l, "mine", "lab")
	var busy *lab.BusyError
	if !errors.As(err, &busy) || !strings.HasPrefix(err.Error(), fmt.Sprintf(
		"lab 1 in cluster mine is in use by `ingresslab learn` (process %d, since ", os.Getpid())) {
		t.Errorf("the second one is told: %v", err)
	}
	other, err := lab.Lock(l, "another", "lab")
	if err != nil {
		t.Fatalf("in another cluster: %v", err)
	}
	other()
	release()
	again, err := lab.Lock(l, "mine", "lab")
	if err != nil {
		t.Fatalf("after the first has let go: %v", err)
	}
	again()
	if _, err := os.Stat(busy.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock stays behind: %v", err)
	}
}
