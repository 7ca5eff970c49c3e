package kubelet

import "golang.org/x/sys/unix"

// diskSize is that of the file system at path, in bytes.
func diskSize(path string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return 0
	}
	return int64(s.Blocks) * s.Bsize
}
