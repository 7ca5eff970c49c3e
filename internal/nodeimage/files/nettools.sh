#!/bin/sh
# Packs the network tools of a root file system, with the libraries they load, into a tar:
# what the images of kube-proxy and of the pod network need beside one binary.
#
# usage: nettools.sh ROOT OUT.tar        (called by mmdebstrap when ROOT is complete)
set -eu
root=$1
out=$2

list=$(mktemp)
trap 'rm -f "$list"' EXIT
for tool in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore \
	nft conntrack ip; do
	chroot "$root" /bin/sh -c "command -v $tool"
done >"$list"
# iptables loads its matches and targets by name at run time; some of the names are links.
(cd "$root" && find usr/lib/*/xtables ! -type d | sed 's,^,/,') >>"$list"

# The libraries of all of these: ldd prints "name => /path (address)" for each.
xargs chroot "$root" ldd <"$list" | grep -o '/[^ :]*' | sort -u >"$list.all"
mv "$list.all" "$list"

# Links are followed: the tar is then complete without the directories and the
# alternatives that they lead through. It is packed inside the root, because a link to an
# absolute path would otherwise lead to a file of this machine.
sed 's,^/,,' "$list" | chroot "$root" tar --create --dereference -C / --files-from - >"$out"
