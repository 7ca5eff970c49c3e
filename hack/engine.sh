#!/usr/bin/env bash
# Installs and starts a Docker engine that can run kind nodes, or prints what to install.
#
#   engine.sh           install and start Docker if necessary (Debian or Ubuntu, as root)
#   engine.sh --check   report the state; change nothing
#
# You can run the script repeatedly: each step first checks the state. The script reads
# nothing from stdin and writes messages to stderr. Exit code: 0 the engine works,
# 1 the engine does not work (the message gives the reason), 2 wrong usage.
#
# Reading order: main at the bottom, then ensure_daemon, then ensure_privileged.
set -euo pipefail

# These directories contain the daemons and runc. The PATH of sudo might lack them.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

readonly LOG=/var/log/dockerd.log
readonly LOCK=/run/ingresslab-engine.lock
readonly DAEMON_JSON=/etc/docker/daemon.json
readonly SHIM_NAME=runc-bounded
readonly SHIM_PATH=/usr/local/sbin/runc-bounded
readonly PROBE_IMAGE=ingresslab/engine-probe:v1
readonly START_SECONDS=60

say() { printf 'engine: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# limited runs a command for at most $1 seconds. On macOS, which has no timeout command, there is no limit.
limited() {
	local seconds=$1
	shift
	if have timeout; then timeout "$seconds" "$@"; else "$@"; fi
}

# answers reports whether the engine of the docker client responds. The time limit is for
# a socket that accepts a connection but never responds.
answers() { limited 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1 </dev/null; }

# why_silent prints the last line of the error of the docker client.
why_silent() { limited 10 docker version 2>&1 >/dev/null </dev/null | tail -n 1; }

is_debian() { [[ -r /etc/os-release ]] && grep -Eqx '(ID|ID_LIKE)=.*(debian|ubuntu).*' /etc/os-release; }

# uses_systemd: https://www.freedesktop.org/software/systemd/man/sd_booted.html
uses_systemd() { [[ -d /run/systemd/system ]] && systemctl cat docker.service >/dev/null 2>&1; }

# is_process reports whether the PID file $1 has the PID of a running process with name $2.
# The PID in an old file might belong to another process.
is_process() {
	local pid
	pid=$(cat "$1" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
	[[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]]
}

# is_bound reports whether a process listens on the unix socket whose path ends in $1.
is_bound() { awk -v path="$1" '$8 ~ path "$" {found = 1} END {exit !found}' /proc/net/unix; }

# --- instructions for machines that this script does not change -----------------------

advise() {
	case $(uname -s) in
	Darwin) say "install Docker Desktop (or colima: brew install colima docker), start it, and try again" ;;
	Linux)
		if is_debian; then
			say "run this script as root, without --check: $( ((EUID == 0)) || echo 'sudo ')$0"
		else
			say "install Docker Engine with your system's packages (Fedora: dnf install moby-engine; Arch: pacman -S docker; openSUSE: zypper install docker)"
			say "then start it (systemctl enable --now docker) and let yourself use it (usermod -aG docker $(id -un), and log in again)"
		fi
		;;
	*) say "install Docker Desktop with its Linux engine, start it, and try again" ;;
	esac
}

explain_missing() {
	if ! have docker; then
		say "no docker command found"
	elif [[ -S /var/run/docker.sock && ! -w /var/run/docker.sock ]]; then
		die "$(id -un) has no permission for /var/run/docker.sock: run sudo usermod -aG docker $(id -un), log in again, and try again"
	else
		say "the engine does not respond: $(why_silent)"
	fi
	advise
	exit 1
}

# --- installing ------------------------------------------------------------------------

apt_get() {
	# Wait for the lock, because unattended-upgrades can hold it after boot.
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq "$@" </dev/null >&2
}

# install_packages installs packages. It refreshes the package lists only if they lack
# a package.
install_packages() {
	say "installing $* with apt-get"
	apt_get install -y --no-install-recommends "$@" 2>/dev/null && return
	apt_get update || die "apt-get update failed: is a Debian mirror reachable?"
	apt_get install -y --no-install-recommends "$@" || die "apt-get install $* failed"
}

install_docker() {
	local packages=()
	have dockerd || packages+=(docker.io)
	have iptables || packages+=(iptables)
	# Debian 13 and later package the client apart from the daemon.
	if ! have docker && apt-cache show docker-cli 2>/dev/null | grep -q '^Package:'; then packages+=(docker-cli); fi
	if ((${#packages[@]})); then install_packages "${packages[@]}"; fi
	hash -r
	have dockerd || die "docker.io is installed, but dockerd is not in PATH ($PATH)"
}

# --- starting --------------------------------------------------------------------------

# clear_remains deletes files of a killed daemon that would break a new one: PID files,
# whose PID can belong to another process, and a containerd socket without a listener,
# which makes dockerd wait for containerd.
clear_remains() {
	local pidfile=/var/run/docker.pid
	if [[ -e $pidfile ]] && ! is_process "$pidfile" dockerd; then rm -f "$pidfile"; fi
	for pidfile in /run/docker/containerd/containerd.pid /run/docker/containerd/docker-containerd.pid; do
		if [[ -e $pidfile ]] && ! is_process "$pidfile" containerd; then rm -f "$pidfile"; fi
	done
	if [[ -S /run/containerd/containerd.sock ]] && ! is_bound /run/containerd/containerd.sock; then
		rm -f /run/containerd/containerd.sock
	fi
}

# launch starts dockerd in its own session and without open files of this script. It then
# survives the terminal and the CI step, and does not keep their pipes open.
launch() {
	say "starting dockerd (log: $LOG)"
	(
		for fd in "/proc/$BASHPID/fd/"*; do
			fd=${fd##*/}
			if ((fd > 2)); then eval "exec $fd>&-"; fi
		done
		cd / && exec setsid -f dockerd </dev/null >>"$LOG" 2>&1
	)
}

show_log() {
	if uses_systemd; then
		journalctl -u docker.service -n 15 --no-pager >&2 2>/dev/null || true
	elif [[ -r $LOG ]]; then
		tail -n 15 "$LOG" >&2
	fi
}

# wait_for_daemon waits at most START_SECONDS, and stops early if the daemon exits.
wait_for_daemon() {
	local deadline=$((SECONDS + START_SECONDS)) grace=$((SECONDS + 5))
	until answers; do
		if ((SECONDS >= deadline)); then break; fi
		if ((SECONDS >= grace)) && ! uses_systemd && ! is_process /var/run/docker.pid dockerd; then break; fi
		sleep 0.3
	done
	if answers; then return; fi
	if is_process /var/run/docker.pid dockerd && is_bound docker.sock; then
		say "dockerd runs, but $(command -v docker) cannot connect to it: $(why_silent)"
		die "the versions of client and daemon might be incompatible; try again with PATH=/usr/bin:\$PATH"
	fi
	say "dockerd did not start within $START_SECONDS s; the end of its log:"
	show_log
	if ! grep -q cgroup /proc/mounts; then say "no cgroup file system is mounted; install the package cgroupfs-mount and run cgroupfs-mount"; fi
	exit 1
}

ensure_daemon() {
	if answers; then return; fi
	if [[ -n ${DOCKER_HOST:-} && $DOCKER_HOST != unix:///var/run/docker.sock && $DOCKER_HOST != unix:///run/docker.sock ]]; then
		die "DOCKER_HOST=$DOCKER_HOST does not respond ($(why_silent)); start that engine, or unset DOCKER_HOST"
	fi
	if ! is_debian || ((EUID != 0)); then explain_missing; fi
	install_docker
	if answers; then return; fi
	clear_remains
	if uses_systemd; then
		say "starting docker.service"
		if ! systemctl start docker.service; then
			show_log
			die "systemctl start docker.service failed"
		fi
	elif ! is_process /var/run/docker.pid dockerd; then
		launch
	fi
	wait_for_daemon
}

# --- privileged containers -------------------------------------------------------------

# make_probe_image builds an image from /bin/true of this machine and its libraries, to
# test the engine without a registry.
make_probe_image() {
	if docker image inspect "$PROBE_IMAGE" >/dev/null 2>&1; then return; fi
	local true_path files=()
	true_path=$(type -P true)
	# The dynamic loader and libraries. For a static binary, ldd fails, and none are needed.
	mapfile -t files < <(ldd "$true_path" 2>/dev/null | grep -oE '/[^ ]+' | sed 's,^/,,')
	tar -chf - --transform "s,^${true_path#/}\$,probe," -C / "${true_path#/}" "${files[@]}" |
		docker import --change 'CMD ["/probe"]' - "$PROBE_IMAGE" >/dev/null
}

# try_privileged starts a privileged container, as kind does, and prints the error if it fails.
try_privileged() { limited 60 docker run --rm --privileged --network none "$PROBE_IMAGE" 2>&1 </dev/null; }

# lacks_capability reports whether the bounding set lacks a capability of the kernel:
# bits 0 to cap_last_cap of CapBnd, capabilities(7).
lacks_capability() {
	local bounding last
	bounding=$(awk '/^CapBnd:/ {print $2}' /proc/self/status)
	last=$(cat /proc/sys/kernel/cap_last_cap)
	(((16#$bounding & ((1 << (last + 1)) - 1)) != (1 << (last + 1)) - 1))
}

# write_shim writes an OCI runtime that requests only capabilities in the bounding set.
# The names are in the order of their numbers in <linux/capability.h>, which is kernel ABI.
write_shim() {
	local runc
	runc=$(type -P runc) || die "runc not found in PATH; reinstall docker.io"
	[[ $runc != "$SHIM_PATH" ]] || die "$SHIM_PATH hides the real runc; delete it"
	cat >"$SHIM_PATH.new" <<SHIM
#!/bin/sh
# Written by hack/engine.sh of ingresslab. It removes each capability outside the bounding
# set from the container's configuration, and then runs runc. "docker run --privileged"
# requests all capabilities, and runc fails if it cannot apply one of them.
set -eu
RUNC=$runc
SHIM
	cat >>"$SHIM_PATH.new" <<'SHIM'
NAMES="CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER
SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE
SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE"

# bounded prints, as JSON, the capabilities that CapBnd allows; see capabilities(7).
bounded() {
	set_=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
	number=0 separator='['
	for name in $NAMES; do
		if [ $((0x$set_ >> number & 1)) -eq 1 ]; then
			printf '%s"CAP_%s"' "$separator" "$name"
			separator=,
		fi
		number=$((number + 1))
	done
	printf ']'
}

# restrict FILE PATH: intersects every capability list of the process at PATH.
restrict() {
	[ -f "$1" ] || return 0
	jq --argjson bounded "$(bounded)" \
		"if $2.capabilities then $2.capabilities |= map_values(map(select(IN(\$bounded[])))) else . end" \
		"$1" >"$1.bounded"
	# Write the file in place, to keep its owner and mode.
	cat "$1.bounded" >"$1"
	rm -f "$1.bounded"
}

previous=
for argument; do
	case $previous in
	--bundle | -b) restrict "$argument/config.json" .process ;;
	--process | -p) restrict "$argument" '(.)' ;;
	esac
	case $argument in
	--bundle=*) restrict "${argument#*=}/config.json" .process ;;
	--process=*) restrict "${argument#*=}" '(.)' ;;
	esac
	previous=$argument
done
exec "$RUNC" "$@"
SHIM
	chmod 0755 "$SHIM_PATH.new"
	mv "$SHIM_PATH.new" "$SHIM_PATH"
}

# register_shim adds the runtime to daemon.json and keeps all other keys.
register_shim() {
	local merged
	mkdir -p "${DAEMON_JSON%/*}"
	[[ -s $DAEMON_JSON ]] || echo '{}' >"$DAEMON_JSON"
	merged=$(jq --arg name "$SHIM_NAME" --arg path "$SHIM_PATH" \
		'.runtimes[$name] = {path: $path} | .["default-runtime"] = $name' "$DAEMON_JSON") ||
		die "$DAEMON_JSON is not a valid JSON object; fix it and try again"
	printf '%s\n' "$merged" >"$DAEMON_JSON.new"
	mv "$DAEMON_JSON.new" "$DAEMON_JSON"
}

# reload_daemon makes dockerd read daemon.json again. Both keys can change at run time
# (dockerd manual, "configuration reload behavior"), so dockerd stops no container.
reload_daemon() {
	local deadline=$((SECONDS + 20))
	is_process /var/run/docker.pid dockerd || die "cannot reload dockerd, because it does not run on this machine; restart your engine and try again"
	kill -HUP "$(cat /var/run/docker.pid)"
	until [[ $(docker info --format '{{.DefaultRuntime}}' 2>/dev/null) == "$SHIM_NAME" ]]; do
		((SECONDS < deadline)) || die "dockerd did not load the runtime in $DAEMON_JSON; see $LOG"
		sleep 0.2
	done
}

adjust_runtime() {
	((EUID == 0)) || die "privileged containers need another runtime; run this script as root"
	if ! have jq; then
		is_debian || die "jq not found; install it and try again"
		install_packages jq
	fi
	say "this machine lacks a capability; registering the runtime $SHIM_NAME"
	write_shim
	register_shim
	reload_daemon
}

# ensure_privileged tries a privileged container. It changes the runtime only if the
# container fails because a capability is missing.
ensure_privileged() {
	local output
	if [[ $(uname -s) != Linux ]]; then return; fi # The engine runs in a virtual machine that kind supports.
	if [[ $1 == check ]] && ! docker image inspect "$PROBE_IMAGE" >/dev/null 2>&1; then
		say "privileged containers: not tested yet (run without --check)"
		return
	fi
	make_probe_image || die "cannot build an image to test the engine: $(docker info 2>&1 >/dev/null | tail -n 1)"
	if output=$(try_privileged); then return; fi
	if [[ $1 == fix ]] && lacks_capability; then
		adjust_runtime
		if output=$(try_privileged); then return; fi
	fi
	die "docker run --privileged fails: $(tail -n 1 <<<"$output")"
}

main() {
	case ${1:-} in
	'') ;;
	--check)
		if ! have docker || ! answers; then explain_missing; fi
		ensure_privileged check
		say "ready: Docker $(docker version --format '{{.Server.Version}}')"
		return
		;;
	-h | --help)
		sed -n '2,9s/^# \{0,1\}//p' "$0"
		return
		;;
	*)
		say "unknown argument $1; the only option is --check"
		exit 2
		;;
	esac
	# A second run waits for the first, so that only one starts a daemon.
	if ((EUID == 0)) && have flock; then
		exec 9>"$LOCK"
		flock -w 600 9 || die "another run has held $LOCK for ten minutes; stop it and try again"
	fi
	ensure_daemon
	ensure_privileged fix
	say "ready: Docker $(docker version --format '{{.Server.Version}}')"
}

main "$@" </dev/null
