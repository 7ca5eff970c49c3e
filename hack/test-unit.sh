#!/usr/bin/env bash
# Runs the unit and feature tests. They need no cluster and no network except loopback. The race detector needs a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "unit tests: installing gcc for the race detector" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev; } >/dev/null </dev/null
    export CGO_ENABLED=1
  else
    echo "unit tests: WITHOUT the race detector: no C compiler found in PATH" >&2
    race=
  fi
fi
echo "unit tests: go test ${race:+$race }./..." >&2
exec go test $race ./...
