# `make` says what there is. All it takes is Go, Python 3 with pip (for Envoy alone), and make.
GO ?= go

# Flags for go test, and for the programs that `make demo`, `make longstream`, `make curated-registry` and `make bench` run.
TESTFLAGS ?=
DEMOFLAGS ?=
BENCHFLAGS ?=
# How long `make fuzz` spends on each target, how long `make soak` has streams come and go, and what `make race` runs.
FUZZTIME ?= 10s
SOAKTIME ?= 30m
RACE ?= ./authz/... ./cmd/... ./gateway/controller/... ./gateway/infra/... ./gateway/source/file ./xds/...

.DEFAULT_GOAL := help
.PHONY: help build demo longstream curated-registry test race e2e corpus soak lint fmt generate verify bench bench-streams bench-egress fuzz envoy clients tools clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

build: ## Build bin/hopgate and the programs of the examples
	$(GO) build -trimpath -o bin/hopgate ./cmd/hopgate
	$(GO) build -trimpath -o bin/quickstart-agent ./examples/quickstart/agent
	$(GO) build -trimpath -o bin/quickstart-demo ./examples/quickstart/demo
	$(GO) build -trimpath -o bin/longstream-demo ./examples/longstream/demo
	$(GO) build -trimpath -o bin/curated-registry-demo ./examples/curated-registry/demo

demo: envoy build ## Let a real agent loose behind the gateway, and show what was decided and why
	bin/quickstart-demo $(DEMOFLAGS)

longstream: envoy build ## Let an agent hold two streams, end them in each way there is, and show what it saw
	bin/longstream-demo $(DEMOFLAGS)

curated-registry: envoy build ## Let an agent install from curated registries, and try more than that, with the real pip and go
	bin/curated-registry-demo $(DEMOFLAGS)

test: envoy ## Run the tests of all packages, on the real Envoy too; the whole is e2e's
	@packages=$$($(GO) list ./...) || exit 1; \
	HOPGATE_REQUIRE_ENVOY=1 $(GO) test -timeout 20m $(TESTFLAGS) $$(echo "$$packages" | grep -v -E '/(e2e|examples)(/|$$)')

e2e: envoy clients ## Run the tests of the whole: real Envoy, real clients, the examples
	@packages=$$($(GO) list ./e2e/... ./examples/...) || exit 1; \
	HOPGATE_REQUIRE_ENVOY=1 $(GO) test -count=1 -p 1 -timeout 20m $(TESTFLAGS) $$(echo "$$packages" | grep -v '/e2e/clients$$')
	HOPGATE_REQUIRE_ENVOY=1 $(GO) test -count=1 -timeout 5m -v $(TESTFLAGS) ./e2e/clients

corpus: ## Try every attempt to get out at three levels, and print the table; CORPUS=FILE: one more file of rows
	HOPGATE_CORPUS=$(abspath $(CORPUS)) $(GO) test -count=1 -v -run '^TestCorpus$$' ./e2e

soak: envoy ## Have streams of every kind come and go for SOAKTIME (30m), and look for what is left behind
	HOPGATE_REQUIRE_ENVOY=1 $(GO) test -count=1 -timeout 0 -v $(TESTFLAGS) ./e2e/soak -soak $(SOAKTIME)

race: envoy ## Run the tests of what is concurrent under the race detector (it needs a C compiler)
	HOPGATE_REQUIRE_ENVOY=1 CGO_ENABLED=1 $(GO) test -race -short -timeout 30m $(TESTFLAGS) $(RACE)

lint: tools ## Look for defects: go vet, staticcheck and the other linters of .golangci.yml
	bin/tools/golangci-lint run ./...

fmt: tools ## Format code and go.mod
	bin/tools/golangci-lint fmt ./...
	$(GO) mod tidy
	$(GO) -C tools mod tidy

generate: tools ## Write generated files anew: deep copies, CRDs, schemas
	rm -f config/crd/*.yaml
	bin/tools/controller-gen object crd paths=./gateway/api/v1alpha1 output:crd:dir=config/crd
	$(GO) generate ./...

verify: lint ## Hold that generated files and go.mod are current, and that house rules hold; writes nothing
	@GO="$(GO)" sh tools/verify
	$(GO) test -count=1 ./internal/rules

bench: envoy ## Measure, each figure beside its baseline; writes bench/results.jsonl
	$(GO) run ./bench $(BENCHFLAGS)

bench-streams: envoy ## Measure live streams alone, 1,000 and 10,000 of them: memory, CPU, how soon they are cut; fails where that is over its budget
	$(GO) run ./bench -only streams -strict $(BENCHFLAGS)

bench-egress: envoy ## Measure what goes to names that agents choose: tunnels, what they carry, inspection, 10,000 names
	$(GO) run ./bench -only egress $(BENCHFLAGS)

fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@GO="$(GO)" sh tools/fuzz $(FUZZTIME)

envoy: ## Get the pinned Envoy, unless it is there or ENVOY_PATH names one
	@test -n "$$ENVOY_PATH" || sh tools/envoy/install bin/envoy

clients: ## Get the pinned libraries that e2e/clients tries: requests, httpx, undici; what is not to be had is said
	@sh tools/clients/install bin/clients

# Built, and not run by `go tool`: that ends with 0 when what it runs is killed.
tools: ## Build the pinned tools to bin/tools, at first use in some minutes
	@$(GO) -C tools build -o ../bin/tools/ tool

clean: ## Remove what was built, Envoy too
	rm -rf bin
