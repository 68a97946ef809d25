#!/usr/bin/env bash
# Everything that must pass before a change is taken: what the machine lacks, format, vet, linters, build, and the
# tests of every module under the race detector.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"

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
step 'tests under the race detector'
ci/test.sh -race -timeout 10m
step 'done'
