#!/usr/bin/env bash
# Prints the path of a kubectl that can do the lessons: the one in PATH if it is new enough, else bin/kubectl, which is made of the
# module that the nodes are made of.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest=28 # 1.28: what the lessons print was seen with it or newer ones

minor() { # minor KUBECTL: the 28 of its v1.28.3; nothing if it does not say, as those before 1.28 do not
  "$1" version --client 2>/dev/null | sed -n 's/^Client Version: v1\.\([0-9][0-9]*\).*/\1/p'
}

for candidate in "$(command -v kubectl || true)" "$PWD/bin/kubectl"; do
  [ -x "$candidate" ] || continue
  version=$(minor "$candidate")
  if [ "${version:-0}" -ge "$oldest" ]; then
    echo "$candidate is kubectl 1.$version" >&2
    echo "$candidate"
    exit 0
  fi
  echo "$candidate is older than 1.$oldest" >&2
done

[ -x bin/ingresslab ] || make build >&2
program=$(bin/ingresslab build kubectl)
mkdir -p bin
# A copy: the cache may be cleared. First beside it, so that no half of it is ever found.
cp "$program" bin/kubectl.new
mv bin/kubectl.new bin/kubectl
echo "bin/kubectl is kubectl 1.$(minor bin/kubectl); put it into your PATH: export PATH=\"$PWD/bin:\$PATH\"" >&2
echo "$PWD/bin/kubectl"
