#!/usr/bin/env bash
# Fails if a generated file is outdated: runs `go generate` in a copy and compares.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy" 2>/dev/null || true
(cd "$copy" && go generate ./...)
git ls-files -z | while IFS= read -r -d '' file; do
  [ -f "$file" ] || continue
  cmp -s "$file" "$copy/$file" || { echo "$file is outdated"; diff -u "$file" "$copy/$file" | head -20; touch "$copy/.stale"; }
done
[ ! -e "$copy/.stale" ]
