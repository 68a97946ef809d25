#!/usr/bin/env bash
# Everything that must pass before a change is taken: what the machine lacks, format, vet, linters, build, the tests of
# every module under the race detector, the clients, and the page in a real browser.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"

# patience bounds the steps that are no go test, which bounds itself; one that takes so long hangs.
patience=15m

step() {
	printf '\n== %s (%d s)\n' "$1" "$SECONDS"
}

step 'what this machine lacks'
ci/need.sh
step 'format, vet, lint'
ci/lint.sh
step 'build'
for dir in $(modules); do
	(cd "$dir" && go build ./...)
done
# The library also goes where the fleet does not.
for target in linux/386 windows/amd64 js/wasm; do
	GOOS=${target%/*} GOARCH=${target#*/} go build . ./convention
done
with_node
step 'the TypeScript client'
timeout "$patience" ci/js.sh
step 'the Python client'
timeout "$patience" ci/python.sh
step 'the page'
timeout "$patience" ci/page.sh
step 'tests under the race detector'
ci/test.sh -race -timeout 20m
step 'done'
