#!/usr/bin/env bash
# Prints the path of a kubectl for the lessons: the one in PATH if it is new enough, or bin/kubectl. If necessary, the script
# compiles bin/kubectl from the same module as the nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest=28 # 1.28: the outputs in the lessons match this and later versions

minor() { # minor KUBECTL: prints 28 for v1.28.3, and nothing for versions before 1.28
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
# Copy the program, because a user can clear the cache. Rename it at the end, so that bin/kubectl is always complete.
cp "$program" bin/kubectl.new
mv bin/kubectl.new bin/kubectl
echo "bin/kubectl is kubectl 1.$(minor bin/kubectl); add it to your PATH: export PATH=\"$PWD/bin:\$PATH\"" >&2
echo "$PWD/bin/kubectl"
