package nodeimage

import (
	"slices"
	"testing"
)

func TestCompilerCollectsLessWhereThereIsMemory(t *testing.T) {
	for _, test := range []struct {
		name   string
		gogc   string
		memory uint64
		want   []string
	}{
		{"a laptop with 16 GiB", "", 16 << 30, []string{"GOGC=400"}},
		{"a small machine", "", 4 << 30, nil},
		{"a machine that does not say", "", 0, nil},
		{"a user who chose", "50", 16 << 30, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := compilerGC(func(string) string { return test.gogc }, test.memory)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
