#!/usr/bin/env bash
# Installs Chromium for the test of the status page (Debian or Ubuntu, as root), or prints how to install it. If Chromium exists,
# the script does nothing.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "browser: Chromium not found; install it with your system's packages (Debian, as root: apt-get install chromium)" >&2
  exit 1
fi
echo "browser: installing chromium with apt-get" >&2
export DEBIAN_FRONTEND=noninteractive
apt_get() { apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq "$@" </dev/null >&2; }
apt_get install -y --no-install-recommends chromium 2>/dev/null && exit 0
apt_get update
apt_get install -y --no-install-recommends chromium
