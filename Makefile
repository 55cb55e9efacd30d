# Sluice. `make help` lists the targets. A clone needs Go 1.26, Node 20, npm, gcc, make and
# git; everything else is installed by the targets that need it.
SHELL := /bin/bash
# How long sources are stopped by the tests of outages; 15 s in `make test`.
OUTAGE ?= 2m
# How long the control plane is away from an agent; 3 s in `make test`.
AGENT_OUTAGE ?= 5m
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOLANGCI := go tool -modfile=tools/go.mod golangci-lint
# What the binary does under load, for the compiler (go build -pgo). make profile takes it anew.
PROFILE := benchmarks/sluice.pgo
OAPI := go tool -modfile=tools/go.mod oapi-codegen
PACKAGES := nginx haproxy knot libnginx-mod-http-lua chromium fonts-noto-cjk wrk nghttp2-client iproute2 nftables curl openssl redis-server mariadb-server-core
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help run build ui test test-go test-ui check bench profile figures generate fmt fuzz packages clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

run: build ## build everything and run the quick start: four sample backends and one Sluice
	bin/sluice cert self-signed --keep --cert-file data/quickstart.pem --key-file data/quickstart.key \
		shop.example.com '*.acme.example.com' www.globex.example localhost 127.0.0.1
	exec examples/quickstart/run.sh

build: ui bin/sluice bin/backend ## build the UI and the binaries

.PHONY: bin/sluice bin/backend
bin/sluice:
	@echo "== build bin/sluice (a cold build takes about three minutes)"
	go build -trimpath -pgo=$(PROFILE) -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./cmd/sluice
bin/backend:
	go build -trimpath -o $@ ./examples/backend

UI_SOURCES := $(shell git ls-files web-admin 2>/dev/null | grep -v '^web-admin/dist' | grep -v '^web-admin/e2e')

ui: web-admin/dist/index.html ## build the web UI

web-admin/dist/index.html: web-admin/node_modules/.package-lock.json $(UI_SOURCES)
	@echo "== build the UI"
	cd web-admin && npm run build
	@touch $@

web-admin/node_modules/.package-lock.json: web-admin/package-lock.json
	@echo "== install the UI's packages"
	cd web-admin && npm ci --no-audit --no-fund
	@touch $@

packages: ## install the Debian packages that tests and benchmarks need
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "== install Debian packages:" $$missing; \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq $$missing >/dev/null; \
	fi

test: packages ui ## install what is missing and run every test, on real parts
	@$(MAKE) --no-print-directory --keep-going test-ui test-go

test-go: packages ui
	@echo "== kube-apiserver for the tests (built once, five minutes cold)"
	sh test/kube/build.sh
	@echo "== Go tests with the race detector"
	go test -race -timeout 40m -p 2 ./...

test-ui: web-admin/node_modules/.package-lock.json
	@echo "== UI tests"
	cd web-admin && npm test

check: web-admin/node_modules/.package-lock.json ## formatting, linters, generated code, import arrows, web lint and types
	@echo "== gofmt"; out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt these:" $$out; exit 1; }
	@echo "== go mod tidy"; go mod tidy -diff
	@echo "== golangci-lint"; $(GOLANGCI) run ./...
	@echo "== generated code is current"; $(MAKE) --no-print-directory generate && git diff --exit-code -- admin/api web-admin/src/api/schema.d.ts
	@echo "== import arrows"; go test -count=1 -run 'TestImports|TestPackageDocs' ./cmd/sluice
	@echo "== web lint and types"; cd web-admin && npm run lint && npm run typecheck

generate: web-admin/node_modules/.package-lock.json ## make the code that comes from admin/openapi.yaml
	$(OAPI) -config admin/api/config.yaml admin/openapi.yaml
	cd web-admin && npm run generate

fmt: ## format the Go code
	gofmt -w $$(git ls-files '*.go')

profile: packages bin/sluice ## take the profile anew that the compiler builds bin/sluice with, about two minutes
	rm -rf bin/profiles
	go run ./benchmarks -scenarios http1,http1_16k,post,log,tls,h2,grpc -peers sluice,nginx -rounds 1 -seconds 10 -profiles bin/profiles -out ''
	go tool pprof -proto bin/profiles/*.pb.gz > $(PROFILE)

bench: packages bin/sluice ## compare with nginx, HAProxy and Caddy: CPU per request and more, about 25 minutes
	go run ./benchmarks

figures: packages ## run the measuring tests and print one line for each figure
	sh test/kube/build.sh
	@mkdir -p .cache
	@set -o pipefail; SLUICE_OUTAGE=$(OUTAGE) SLUICE_AGENT_OUTAGE=$(AGENT_OUTAGE) SLUICE_PROBE_ENDPOINTS=50000 go test -count=1 -p 1 -timeout 30m -v ./test/e2e/ ./test/hardening/ ./test/faults/ ./discovery/... ./health/ ./configsync/... | tee .cache/figures.log | grep -Eo 'figure .*' || { grep -E -A20 '^ *--- FAIL|^panic|^FAIL' .cache/figures.log; exit 1; }
	@set -o pipefail; go test -run '^$$' -bench 'ProxiedRequest(HTTP2)?$$' -benchmem ./proxy | awk '/^Benchmark/ { h2 = $$1 ~ /HTTP2/; print "figure allocations_" (h2 ? "http2 " : "http1 ") $$(NF-1) " per_request goal " (h2 ? 2 : 0) }'
	@set -o pipefail; $(MAKE) --no-print-directory bench | grep -E '^(figure|missing) '

# The end of the 60 s may hit a worker in the middle of an input, which go test reports as a failure
# without one (golang/go issue 75804, mended in Go 1.27).
fuzz: ## run every fuzz target for 60 s
	@for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "== $$p $$f"; \
			out=$$(go test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s -fuzzminimizetime 1x $$p 2>&1); ok=$$?; \
			echo "$$out" | tail -n 20; \
			if [ $$ok != 0 ] && { [[ "$$out" == *"Failing input"* ]] || [[ "$$out" != *"context deadline exceeded"* ]]; }; then exit 1; fi; done; done

clean: ## remove what was built
	rm -rf bin web-admin/dist/assets web-admin/dist/index.html
