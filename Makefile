# ingresslab: `make` lists what there is. CLUSTER=kind or CLUSTER=embedded on any target chooses the provider; without it the
# CLI takes what the machine has, and says what and why.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

GO      ?= go
LAB     := bin/ingresslab
LINT    := $(GO) tool -modfile=hack/tools/go.mod golangci-lint
OUT     ?= out
CLUSTER ?=
ARGS    ?=
# What a target says to the CLI: the chosen provider, then the caller's own arguments.
FLAGS    = $(if $(CLUSTER),--cluster $(CLUSTER)) $(ARGS)
# Only who asks for kind by name gets an engine installed.
ENGINE   = $(if $(filter kind,$(CLUSTER)),engine-present)
export CLUSTER OUT
# The same as for the images and the control plane, so that what they have in common is compiled once
# (docs/decisions/0008-compile-shared-packages-once.md).
SHARED  := -trimpath -gcflags=all=-dwarf=false -ldflags="-s -w"
# The compiler collects less often where there is memory for it (8 GiB), as package nodeimage has it.
GC      := $(or $(GOGC),$(shell awk '/^MemTotal:/ && $$2 >= 8388608 {print 400}' /proc/meminfo 2>/dev/null))

##@ Learn

.PHONY: lab-% labs
lab-%: build $(ENGINE) ## lab-1: run a lab from nothing: cluster, controller, exercise, checks; JUnit in out/lab-1.xml
	@$(LAB) lab $* -o junit --output-file $(OUT)/lab-$*.xml $(FLAGS)
labs: build $(ENGINE) ## run every lab, whatever becomes of the one before; JUnit in out/labs.xml
	@$(LAB) lab --all -o junit --output-file $(OUT)/labs.xml $(FLAGS)

.PHONY: up down
up: build $(ENGINE) ## bring up the cluster with the controller in it
	@$(LAB) up $(FLAGS)
down: build ## remove the cluster and everything that belongs to it
	@$(LAB) down $(FLAGS)

.PHONY: kubectl
kubectl: build ## a kubectl for machines that have none: bin/kubectl
	@hack/kubectl.sh >/dev/null

##@ Build

.PHONY: build
build: go-present ## bin/ingresslab
	@[ -e $(LAB) ] || echo "compiling $(LAB) (the first time takes a minute or two)" >&2
	@CGO_ENABLED=0 GOGC=$(GC) $(GO) build $(SHARED) -o $(LAB) ./cmd/ingresslab

.PHONY: node-image
node-image: build engine-present ## the Kubernetes node image: pulled where a registry answers, else built
	@$(LAB) image node $(FLAGS)

.PHONY: engine
engine: ## install and start Docker (Debian or Ubuntu, as root)
	@hack/engine.sh

##@ Test

.PHONY: test
test: test-unit test-e2e ## every test: unit and feature tests with the race detector, then e2e on real clusters

.PHONY: test-unit
test-unit: go-present ## unit and feature tests with the race detector; no cluster
	@hack/test-unit.sh

.PHONY: test-e2e
test-e2e: build ## every scenario and fault on clusters of its own: kind and embedded
	@hack/test-e2e.sh

.PHONY: prove
prove: build $(ENGINE) ## show that every lab and its mutants tell right from wrong; ARGS="1 canary" for some
	@PATH="$$(dirname "$$(hack/kubectl.sh)"):$$PATH" $(LAB) prove $(FLAGS)

.PHONY: verify
verify: check test-unit ## all that CI runs, except the cluster tests

.PHONY: check
check: go-present ## format, vet, lint, shell scripts, generated files, module files
	@hack/check.sh

.PHONY: lint
lint: go-present ## golangci-lint alone
	@$(LINT) run --allow-serial-runners --build-tags e2e ./...

.PHONY: bench
bench: go-present ## benchmarks of routing and proxying
	@$(GO) test -run '^$$' -bench . -benchmem ./controller/...

##@ Maintain

.PHONY: fmt
fmt: go-present ## format the code
	@$(LINT) fmt

.PHONY: generate
generate: go-present ## make the generated files anew
	@$(GO) generate ./...

.PHONY: clean
clean: ## remove what make built here (not the clusters: that is `make down`)
	@rm -rf bin $(OUT)

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9%-]+( [a-z0-9%-]+)*:.*## / { name = $$1; sub(/-%$$/, "-N", name); printf "  make %-12s %s\n", name, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  CLUSTER=kind or CLUSTER=embedded picks what the cluster is made with, ARGS="..." goes to the command: make lab-1 ARGS="--http-port 9080"\n'

# What the other targets need from the machine.
.PHONY: go-present engine-present
go-present:
	@command -v $(GO) >/dev/null || { echo "make: Go 1.26 or newer is needed, and there is no $(GO) in PATH" >&2; exit 1; }
engine-present:
	@docker info >/dev/null 2>&1 || hack/engine.sh
