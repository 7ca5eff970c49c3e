#!/usr/bin/env bash
# Gives this machine a Docker engine that can run kind's nodes, or says what to install.
#
#   engine.sh           install and start what is missing (Debian or Ubuntu, as root)
#   engine.sh --check   only report; change nothing
#
# Running it again is cheap and safe: every step looks before it acts. It reads nothing
# from stdin and writes only short messages, to stderr. Exit status: 0 the engine works,
# 1 it does not and the message says why, 2 wrong usage.
#
# In reading order: main at the bottom, then ensure_daemon, then ensure_privileged.
set -euo pipefail

# Daemons and runc are there, and the PATH of an ordinary user's sudo may lack them.
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

# limited runs a command for at most $1 seconds, where the system can (macOS has no timeout).
limited() {
	local seconds=$1
	shift
	if have timeout; then timeout "$seconds" "$@"; else "$@"; fi
}

# answers tells whether the engine that the docker client points at talks to it. The time
# limit is for a socket that accepts and then says nothing.
answers() { limited 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1 </dev/null; }

# why_silent prints the last line of what the client says when it gets no answer.
why_silent() { limited 10 docker version 2>&1 >/dev/null </dev/null | tail -n 1; }

is_debian() { [[ -r /etc/os-release ]] && grep -Eqx '(ID|ID_LIKE)=.*(debian|ubuntu).*' /etc/os-release; }

# uses_systemd: https://www.freedesktop.org/software/systemd/man/sd_booted.html
uses_systemd() { [[ -d /run/systemd/system ]] && systemctl cat docker.service >/dev/null 2>&1; }

# is_process tells whether the pid file $1 names a living process called $2. A pid file
# that outlived its daemon may name somebody else's process by now.
is_process() {
	local pid
	pid=$(cat "$1" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
	[[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]]
}

# is_bound tells whether a process listens on the unix socket whose path ends in $1.
is_bound() { awk -v path="$1" '$8 ~ path "$" {found = 1} END {exit !found}' /proc/net/unix; }

# --- how to get one, for machines this script does not change -----------------------

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
		die "$(id -un) may not use /var/run/docker.sock: sudo usermod -aG docker $(id -un), log in again, and try again"
	else
		say "no engine answers: $(why_silent)"
	fi
	advise
	exit 1
}

# --- installing ------------------------------------------------------------------------

apt_get() {
	# The lock may be held by unattended-upgrades just after boot: wait rather than fail.
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq "$@" </dev/null >&2
}

# install_packages installs what is named; the lists are refreshed only if they do not
# know a package, because on a machine in use they usually do.
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
	have dockerd || die "docker.io is installed, but there is no dockerd in PATH ($PATH)"
}

# --- starting --------------------------------------------------------------------------

# clear_remains removes what a daemon that was killed leaves behind and its successor
# trips over: pid files whose number may belong to another process now, and a containerd
# socket nobody listens on, which dockerd would take for a containerd to wait for.
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

# launch starts dockerd in a session of its own with nothing of ours open, so that it
# outlives the terminal, the CI step, and whoever waits for our pipes to close.
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

# wait_for_daemon waits at most START_SECONDS, and no longer than the daemon lives.
wait_for_daemon() {
	local deadline=$((SECONDS + START_SECONDS)) grace=$((SECONDS + 5))
	until answers; do
		if ((SECONDS >= deadline)); then break; fi
		if ((SECONDS >= grace)) && ! uses_systemd && ! is_process /var/run/docker.pid dockerd; then break; fi
		sleep 0.3
	done
	if answers; then return; fi
	if is_process /var/run/docker.pid dockerd && is_bound docker.sock; then
		say "dockerd runs, but $(command -v docker) cannot talk to it: $(why_silent)"
		die "a client that is much newer or older than the daemon is one reason: try with PATH=/usr/bin:\$PATH"
	fi
	say "dockerd did not come up within $START_SECONDS s; the end of its log:"
	show_log
	if ! grep -q cgroup /proc/mounts; then say "no cgroup file system is mounted: apt-get install cgroupfs-mount, run cgroupfs-mount"; fi
	exit 1
}

ensure_daemon() {
	if answers; then return; fi
	if [[ -n ${DOCKER_HOST:-} && $DOCKER_HOST != unix:///var/run/docker.sock && $DOCKER_HOST != unix:///run/docker.sock ]]; then
		die "DOCKER_HOST=$DOCKER_HOST does not answer ($(why_silent)): start that engine, or unset DOCKER_HOST"
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

# make_probe_image packs /bin/true of this machine with its libraries: an image to try
# the engine with where none can be pulled.
make_probe_image() {
	if docker image inspect "$PROBE_IMAGE" >/dev/null 2>&1; then return; fi
	local true_path files=()
	true_path=$(type -P true)
	# Dynamic loader and libraries; a static binary makes ldd fail, and needs none.
	mapfile -t files < <(ldd "$true_path" 2>/dev/null | grep -oE '/[^ ]+' | sed 's,^/,,')
	tar -chf - --transform "s,^${true_path#/}\$,probe," -C / "${true_path#/}" "${files[@]}" |
		docker import --change 'CMD ["/probe"]' - "$PROBE_IMAGE" >/dev/null
}

# try_privileged starts a container as kind starts its nodes, and prints why it failed.
try_privileged() { limited 60 docker run --rm --privileged --network none "$PROBE_IMAGE" 2>&1 </dev/null; }

# lacks_capability tells whether this machine withholds a capability that its kernel has:
# bits 0 to cap_last_cap of CapBnd, capabilities(7).
lacks_capability() {
	local bounding last
	bounding=$(awk '/^CapBnd:/ {print $2}' /proc/self/status)
	last=$(cat /proc/sys/kernel/cap_last_cap)
	(((16#$bounding & ((1 << (last + 1)) - 1)) != (1 << (last + 1)) - 1))
}

# write_shim writes the OCI runtime that asks for no capability this machine cannot give.
# Names stand in the order of their numbers in <linux/capability.h>, which is kernel ABI.
write_shim() {
	local runc
	runc=$(type -P runc) || die "no runc in PATH: reinstall docker.io"
	[[ $runc != "$SHIM_PATH" ]] || die "$SHIM_PATH hides the real runc: remove it"
	cat >"$SHIM_PATH.new" <<SHIM
#!/bin/sh
# Written by ingresslab's hack/engine.sh. Runs runc after taking out of the container's
# configuration every capability outside this machine's bounding set: runc treats one
# that it cannot apply as an error, and "docker run --privileged" asks for all of them.
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
	# Written back in place: owner and mode of the file stay what runc's caller chose.
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

# register_shim adds the runtime to daemon.json and keeps every other key in it.
register_shim() {
	local merged
	mkdir -p "${DAEMON_JSON%/*}"
	[[ -s $DAEMON_JSON ]] || echo '{}' >"$DAEMON_JSON"
	merged=$(jq --arg name "$SHIM_NAME" --arg path "$SHIM_PATH" \
		'.runtimes[$name] = {path: $path} | .["default-runtime"] = $name' "$DAEMON_JSON") ||
		die "$DAEMON_JSON is not JSON that can be extended: repair it, and try again"
	printf '%s\n' "$merged" >"$DAEMON_JSON.new"
	mv "$DAEMON_JSON.new" "$DAEMON_JSON"
}

# reload_daemon makes dockerd read daemon.json again. Both keys may change at run time
# (dockerd's manual, "configuration reload behavior"), so no container is stopped.
reload_daemon() {
	local deadline=$((SECONDS + 20))
	is_process /var/run/docker.pid dockerd || die "no dockerd of this machine to reload: restart your engine, and try again"
	kill -HUP "$(cat /var/run/docker.pid)"
	until [[ $(docker info --format '{{.DefaultRuntime}}' 2>/dev/null) == "$SHIM_NAME" ]]; do
		((SECONDS < deadline)) || die "dockerd did not take the runtime of $DAEMON_JSON: see $LOG"
		sleep 0.2
	done
}

adjust_runtime() {
	((EUID == 0)) || die "privileged containers need a runtime adjustment: run this script as root"
	if ! have jq; then
		is_debian || die "the runtime adjustment needs jq: install it, and try again"
		install_packages jq
	fi
	say "this machine withholds a capability: registering the runtime $SHIM_NAME"
	write_shim
	register_shim
	reload_daemon
}

# ensure_privileged tries a privileged container and adjusts the runtime if, and only if,
# it fails for want of a capability.
ensure_privileged() {
	local output
	if [[ $(uname -s) != Linux ]]; then return; fi # The engine lives in a virtual machine that kind supports.
	if [[ $1 == check ]] && ! docker image inspect "$PROBE_IMAGE" >/dev/null 2>&1; then
		say "privileged containers: not tried yet (run without --check)"
		return
	fi
	make_probe_image || die "cannot make an image to try the engine with: $(docker info 2>&1 >/dev/null | tail -n 1)"
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
		say "unknown argument $1 (only --check is known)"
		exit 2
		;;
	esac
	# Two runs at once would both start a daemon: the second waits for the first.
	if ((EUID == 0)) && have flock; then
		exec 9>"$LOCK"
		flock -w 600 9 || die "another run has held $LOCK for ten minutes"
	fi
	ensure_daemon
	ensure_privileged fix
	say "ready: Docker $(docker version --format '{{.Server.Version}}')"
}

main "$@" </dev/null
