# What the targets do is in ci/; `make help` lists them.
.PHONY: help build test race e2e lint fmt gen bench soak check
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

build: ## build bin/spile
	go build -trimpath -o bin/spile ./cmd/spile

test: ## run the tests (needs Go alone)
	go test ./...

race: ## run the tests of every module under the race detector
	ci/test.sh -race

e2e: ## run the checks and the flows of the page in a real browser
	ci/page.sh

lint: ## check format, vet and the linters
	ci/lint.sh

fmt: ## format the sources
	ci/fmt.sh

gen: ## generate what is generated, or say that nothing is
	go generate ./...

bench: ## run the benchmarks, peers included (long)
	ci/bench.sh

soak: ## run the long tests in full length (long)
	ci/soak.sh

check: ## everything that must pass before a change is taken
	ci/check.sh
