#!/usr/bin/env bash
# The e2e suite on whatever cluster this machine can have; it says which, and why. Where none can be had, that is a
# failure in CI (CI=true) and an explained end elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

no_cluster() {
  echo "e2e: no cluster: $1" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  echo "e2e: NOT RUN. The unit and feature tests above need no cluster and did run." >&2
  exit 0
}

if ! docker info >/dev/null 2>&1; then
  hack/engine.sh || no_cluster "no container engine answers, and it could not be installed here"
fi
node_image=$(bin/ingresslab image node) || no_cluster "the node image can be neither pulled nor built here"
echo "e2e: on kind, because a container engine answers ($(docker version --format 'Docker {{.Server.Version}}')); cluster ingresslab-e2e is made for it and removed afterwards" >&2

mkdir -p "${OUT:-out}"
out=$(cd "${OUT:-out}" && pwd)
# The provider's own tests first: they cancel the creation of clusters at its worst moments.
if [ -z "${FOCUS:-}" ]; then
  INGRESSLAB_NODE_IMAGE=$node_image go test -tags e2e -count=1 -timeout 20m ./internal/cluster/kind
fi
exec go test -tags e2e -count=1 -timeout 40m ./e2e \
  -args -ginkgo.v="${VERBOSE:-false}" -ginkgo.succinct -ginkgo.junit-report="$out/e2e.xml" -ginkgo.focus="${FOCUS:-}"
