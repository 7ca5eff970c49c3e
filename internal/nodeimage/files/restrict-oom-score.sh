#!/bin/sh
# Runs before containerd starts. System pods request a negative oom_score_adj, which requires
# CAP_SYS_RESOURCE (bit 24, capabilities(7)). If the machine does not give containers this
# capability, containerd must restrict the score, or system pods cannot start. The check runs
# on the node, because the same image is used on different machines.
set -eu
bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
if [ $((0x$bounding >> 24 & 1)) -eq 0 ]; then
	sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
fi
