#!/usr/bin/env bash
# The e2e suite on every sort of cluster this machine can have: kind, then embedded; and on each the proof of every lab and of
# every scenario with mutants. CLUSTER=kind or CLUSTER=embedded runs it on that one alone. What cannot be had is a failure in CI
# (CI=true) and an explained omission elsewhere. FOCUS=REGEXP runs the specs that match, and no proof.
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

suite() { # suite CLUSTER: scenarios and faults on a cluster made for them
  local detail=-ginkgo.succinct # Ginkgo refuses it together with -ginkgo.v
  if [ "${VERBOSE:-}" = true ]; then detail=-ginkgo.v; fi
  CLUSTER=$1 go test -tags e2e -count=1 -timeout 40m ./e2e \
    -args $detail -ginkgo.junit-report="$out/e2e-$1.xml" -ginkgo.focus="${FOCUS:-}"
}

proof() { # proof CLUSTER: labs and scenarios tell right from wrong, on a cluster made for them
  if [ -n "${FOCUS:-}" ]; then return; fi
  local kubectl # the lessons are played with it
  kubectl=$(hack/kubectl.sh) || return 1
  PATH="$(dirname "$kubectl"):$PATH" bin/ingresslab dev test --cluster "$1" --retry -o junit --output-file "$out/prove-$1.xml"
}

on_kind() {
  local node_image
  if ! docker info >/dev/null 2>&1 && ! hack/engine.sh; then
    not_run kind "no container engine answers, and it could not be installed here"
    return
  fi
  if ! node_image=$(bin/ingresslab build node-image); then
    not_run kind "the node image can be neither pulled nor built here"
    return
  fi
  echo "e2e: on kind ($(docker version --format 'Docker {{.Server.Version}}')); cluster ingresslab-e2e is made for it and removed afterwards" >&2
  # The provider's own tests first: they cancel the creation of clusters at its worst moments.
  if [ -z "${FOCUS:-}" ]; then
    INGRESSLAB_NODE_IMAGE=$node_image go test -tags e2e -count=1 -timeout 20m ./internal/cluster/kind || fail "kind (the provider)"
  fi
  suite kind || fail kind
  proof kind || fail "kind (the proof of labs and scenarios)"
}

on_embedded() {
  if [ "$(uname -s)" != Linux ]; then
    echo "e2e: not on embedded: that takes Linux, and this is $(uname -s)" >&2
    return
  fi
  local programs
  if ! programs=$(bin/ingresslab build control-plane); then
    not_run embedded "the control plane can be neither found nor compiled here"
    return
  fi
  echo "e2e: on embedded; cluster ingresslab-e2e-embedded is made for it and removed afterwards" >&2
  # The provider's own tests first: they kill clusters, and who makes them, at their worst moments.
  if [ -z "${FOCUS:-}" ]; then
    INGRESSLAB_KUBE_BIN=$programs go test -tags e2e -count=1 -timeout 20m ./internal/cluster/embedded || fail "embedded (the provider)"
  fi
  suite embedded || fail embedded
  proof embedded || fail "embedded (the proof of labs and scenarios)"
}

case ${CLUSTER:-} in
  kind) on_kind ;;
  embedded) on_embedded ;;
  '' | auto)
    on_kind
    on_embedded
    ;;
  *)
    echo "e2e: CLUSTER=$CLUSTER: the suite makes its clusters itself, with kind or embedded" >&2
    exit 2
    ;;
esac
exit $failed
