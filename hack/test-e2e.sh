#!/usr/bin/env bash
# Runs the end-to-end suite on kind and then on embedded clusters. On each, it also tests all labs, and all scenarios with mutants.
# CLUSTER=kind or CLUSTER=embedded selects one of them. An unavailable cluster type is a failure in CI (CI=true), and otherwise a
# skip with a reason. FOCUS=REGEXP runs only the matching specs, without the lab tests.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p "${OUT:-out}"
out=$(cd "${OUT:-out}" && pwd)
failed=0

fail() {
  echo "e2e: FAILED on $1" >&2
  failed=1
}

not_run() { # not_run CLUSTER REASON
  echo "e2e: NOT RUN on $1: $2" >&2
  if [ "${CI:-}" = true ] || [ "${CLUSTER:-}" = "$1" ]; then failed=1; fi
}

suite() { # suite CLUSTER: runs the scenarios and faults on a temporary cluster
  local detail=-ginkgo.succinct # Ginkgo does not allow it together with -ginkgo.v
  if [ "${VERBOSE:-}" = true ]; then detail=-ginkgo.v; fi
  CLUSTER=$1 go test -tags e2e -count=1 -timeout 40m ./e2e \
    -args $detail -ginkgo.junit-report="$out/e2e-$1.xml" -ginkgo.focus="${FOCUS:-}"
}

test_labs() { # test_labs CLUSTER: tests labs and scenarios with their mutants on a temporary cluster
  if [ -n "${FOCUS:-}" ]; then return; fi
  local kubectl # for the commands in the lessons
  kubectl=$(hack/kubectl.sh) || return 1
  PATH="$(dirname "$kubectl"):$PATH" bin/ingresslab dev test --cluster "$1" --retry -o junit --output-file "$out/labs-$1.xml"
}

on_kind() {
  local node_image
  if ! docker info >/dev/null 2>&1 && ! hack/engine.sh; then
    not_run kind "no container engine is available, and the installation failed"
    return
  fi
  if ! node_image=$(bin/ingresslab build node-image); then
    not_run kind "the node image is not available: pull and build failed"
    return
  fi
  echo "e2e: on kind ($(docker version --format 'Docker {{.Server.Version}}')), in the temporary cluster ingresslab-e2e" >&2
  # The tests of the provider run first: they cancel the creation of clusters.
  if [ -z "${FOCUS:-}" ]; then
    INGRESSLAB_NODE_IMAGE=$node_image go test -tags e2e -count=1 -timeout 20m ./internal/cluster/kind || fail "kind (provider tests)"
  fi
  suite kind || fail kind
  test_labs kind || fail "kind (lab tests)"
}

on_embedded() {
  if [ "$(uname -s)" != Linux ]; then
    echo "e2e: NOT RUN on embedded: embedded clusters need Linux, but this machine runs $(uname -s)" >&2
    return
  fi
  local programs
  if ! programs=$(bin/ingresslab build control-plane); then
    not_run embedded "the control plane is not available: the build failed"
    return
  fi
  echo "e2e: on embedded, in the temporary cluster ingresslab-e2e-embedded" >&2
  # The tests of the provider run first: they kill clusters, and the processes that create them.
  if [ -z "${FOCUS:-}" ]; then
    INGRESSLAB_KUBE_BIN=$programs go test -tags e2e -count=1 -timeout 20m ./internal/cluster/embedded || fail "embedded (provider tests)"
  fi
  suite embedded || fail embedded
  test_labs embedded || fail "embedded (lab tests)"
}

case ${CLUSTER:-} in
  kind) on_kind ;;
  embedded) on_embedded ;;
  '' | auto)
    on_kind
    on_embedded
    ;;
  *)
    echo "e2e: CLUSTER=$CLUSTER is not supported; use kind or embedded" >&2
    exit 2
    ;;
esac
exit $failed
