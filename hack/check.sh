#!/usr/bin/env bash
# Runs the static checks (`make lint`). Each failure names its check and the command that fixes it. The script changes no file.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

failed=0
step() { # step NAME FIX COMMAND...: runs COMMAND, which must succeed
  local name=$1 fix=$2 output
  shift 2
  if output=$("$@" 2>&1); then
    echo "✓ $name" >&2
  else
    printf '✗ %s\n%s\n  to fix it: %s\n' "$name" "$output" "$fix" >&2
    failed=1
  fi
}
# shellcheck disable=SC2317 # called by step
prints_nothing() {
  local out
  out=$("$@") || return 1
  if [ -n "$out" ]; then
    echo "$out"
    return 1
  fi
}

lint=(go tool -modfile=hack/tools/go.mod golangci-lint)
# shellcheck disable=SC2046 # file names in this repository have no spaces
step format "make fmt" prints_nothing gofmt -l $(git ls-files '*.go')
step vet "go vet -tags e2e ./..." go vet -tags e2e ./...
step golangci-lint "see .golangci.yaml" "${lint[@]}" run --allow-serial-runners --build-tags e2e ./...
step words "use the word that the line suggests; docs/glossary.md explains it" prints_nothing hack/words.sh
step "module files" "go mod tidy" go mod tidy -diff
step "generated files" "make generate, then commit" hack/generated.sh
if command -v shellcheck >/dev/null; then
  # shellcheck disable=SC2046
  step "shell scripts" "shellcheck hack/*.sh" shellcheck $(git ls-files '*.sh') .ci/run
else
  echo "- shell scripts: not checked, because shellcheck is not installed" >&2
fi
exit $failed
