# ingresslab: `make` lists the targets. On any target, CLUSTER=kind or CLUSTER=embedded selects the cluster provider. Without it,
# ingresslab selects a provider and prints the reason.

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
# Flags for ingresslab: the selected provider, then ARGS.
FLAGS    = $(if $(CLUSTER),--cluster $(CLUSTER)) $(ARGS)
# Docker is installed only if the user selects kind.
ENGINE   = $(if $(filter kind,$(CLUSTER)),engine-present)
export CLUSTER OUT
# The same flags as for the images and the control plane, so that the build cache compiles shared packages once
# (docs/decisions/0008-compile-shared-packages-once.md).
SHARED  := -trimpath -gcflags=all=-dwarf=false -ldflags="-s -w"
# With 8 GiB of memory or more, the compiler runs its garbage collector less often. Package nodeimage does the same.
GC      := $(or $(GOGC),$(shell awk '/^MemTotal:/ && $$2 >= 8388608 {print 400}' /proc/meminfo 2>/dev/null))

##@ Learn

.PHONY: learn-% lab-% labs
learn-%: build $(ENGINE) ## learn-1: work through lab 1 interactively
	@$(LAB) learn $* $(FLAGS)
lab-%: build $(ENGINE) ## lab-1: run lab 1 from start to solution on a new or running cluster; JUnit report in out/lab-1.xml
	@$(LAB) lab $* -o junit --output-file $(OUT)/lab-$*.xml $(FLAGS)
labs: build $(ENGINE) ## run every lab, even after a failure; JUnit report in out/labs.xml
	@$(LAB) lab --all -o junit --output-file $(OUT)/labs.xml $(FLAGS)

.PHONY: up down
up: build $(ENGINE) ## create the cluster and install the controller
	@$(LAB) up $(FLAGS)
down: build ## delete the cluster
	@$(LAB) down $(FLAGS)

.PHONY: kubectl
kubectl: build ## make kubectl available: find it in PATH, or compile bin/kubectl
	@hack/kubectl.sh >/dev/null

##@ Build

.PHONY: build
build: go-present ## compile bin/ingresslab
	@[ -e $(LAB) ] || echo "compiling $(LAB) (the first time takes a minute or two)" >&2
	@CGO_ENABLED=0 GOGC=$(GC) $(GO) build $(SHARED) -o $(LAB) ./cmd/ingresslab

.PHONY: node-image
node-image: build engine-present ## pull the Kubernetes node image, or build it
	@$(LAB) build node-image $(FLAGS)

.PHONY: engine
engine: ## install and start Docker (Debian or Ubuntu, as root)
	@hack/engine.sh

##@ Test

.PHONY: test
test: test-unit test-e2e ## run all tests: unit tests, then end-to-end tests on temporary clusters

.PHONY: test-unit
test-unit: go-present ## run unit and feature tests with the race detector; no cluster needed
	@hack/test-unit.sh

.PHONY: test-e2e
test-e2e: build ## run end-to-end tests and test all labs, on kind and embedded clusters
	@hack/test-e2e.sh

.PHONY: test-labs
test-labs: build $(ENGINE) ## test labs and scenarios with their mutants; ARGS="1 canary" selects some
	@PATH="$$(dirname "$$(hack/kubectl.sh)"):$$PATH" $(LAB) dev test $(FLAGS)
prove: ; @echo 'make: `make prove` is now `make test-labs`' >&2; exit 2

.PHONY: verify
verify: lint test-unit ## run everything that CI runs, except the cluster tests

.PHONY: lint check
lint: go-present ## run the static checks: format, vet, golangci-lint, shell scripts, generated files, modules
	@hack/check.sh
check: lint

.PHONY: bench
bench: go-present ## run the benchmarks of routing and proxying
	@$(GO) test -run '^$$' -bench . -benchmem ./controller/...

##@ Maintain

.PHONY: fmt
fmt: go-present ## format the code
	@$(LINT) fmt

.PHONY: generate
generate: go-present ## regenerate the generated files
	@$(GO) generate ./...

.PHONY: clean
clean: ## delete bin/ and out/ (to delete clusters, run `make down`)
	@rm -rf bin $(OUT)

.PHONY: help
help: ## print this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9%-]+( [a-z0-9%-]+)*:.*## / { name = $$1; sub(/-%$$/, "-N", name); printf "  make %-12s %s\n", name, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  CLUSTER=kind or CLUSTER=embedded selects the cluster provider. ARGS="..." adds arguments: make lab-1 ARGS="--http-port 9080"\n'

# Tools that other targets need.
.PHONY: go-present engine-present
go-present:
	@command -v $(GO) >/dev/null || { echo "make: $(GO) not found in PATH; install Go 1.26 or newer" >&2; exit 1; }
engine-present:
	@docker info >/dev/null 2>&1 || hack/engine.sh
