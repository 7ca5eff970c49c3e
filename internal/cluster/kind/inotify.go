package kind

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyLimit is a file of Linux's /proc, see
// https://man7.org/linux/man-pages/man7/inotify.7.html.
const inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"

// inotifyInstances is enough for a handful of clusters. All nodes share one
// user's instances, and a kubelet that gets none restarts for ever with "too
// many open files"; the usual limit of 128 is used up by four nodes
// (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files).
const inotifyInstances = 512

// raiseInotify raises the limit in a file if it is too low, and returns what
// is to be said about it. Where there is no such file, as on a system that
// runs Docker in a virtual machine, nothing is to be done.
func raiseInotify(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || limit >= inotifyInstances {
		return ""
	}
	if os.WriteFile(file, []byte(strconv.Itoa(inotifyInstances)), 0o644) != nil {
		return fmt.Sprintf("fs.inotify.max_user_instances is %d, and more than one cluster may fail with it; as root: sysctl -w fs.inotify.max_user_instances=%d",
			limit, inotifyInstances)
	}
	return fmt.Sprintf("raised fs.inotify.max_user_instances from %d to %d until the next boot; nodes need many", limit, inotifyInstances)
}
