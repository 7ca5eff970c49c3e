#!/bin/sh
# Runs before containerd starts. Every system pod asks for a negative oom_score_adj, which
# takes CAP_SYS_RESOURCE (bit 24 of the set, capabilities(7)). A machine that withholds it
# from its containers would start none of them, so there containerd is told to leave the
# score at what it can have. It is looked up on the node, not when the image is built: the
# same image is carried from one kind of machine to the other.
set -eu
bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
if [ $((0x$bounding >> 24 & 1)) -eq 0 ]; then
	sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
fi
