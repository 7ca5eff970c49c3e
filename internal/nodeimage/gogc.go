package nodeimage

import (
	"os"
	"strconv"
	"strings"
)

// compilerGC is the environment entry that lets the Go compiler collect garbage less often, where there is memory for
// it. What that brings is in docs/node-image.md. A GOGC of the user's stays. The result of a compilation does not depend on it, so
// Go's build cache is shared with builds of any other setting.
// https://go.dev/doc/gc-guide#GOGC
func compilerGC(getenv func(string) string, memory uint64) []string {
	const enough = 8 << 30 // bytes; a careful choice, not a measured need
	if getenv("GOGC") != "" || memory < enough {
		return nil
	}
	return []string{"GOGC=400"}
}

// totalMemory is how many bytes of memory the machine has; 0 where that is not known.
// https://docs.kernel.org/filesystems/proc.html#meminfo
func totalMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kibibytes, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return 0
			}
			return kibibytes << 10
		}
	}
	return 0
}
