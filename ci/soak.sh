#!/usr/bin/env bash
# Runs the long tests in full length: those that are named Soak, the fault matrix, and what must not stay. The arguments
# go to go test.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
export SPILE_SOAK=1
(cd "$root/e2e" && go test -tags soak -run 'Soak|^TestFault$|^TestNothingStays$' -timeout 120m -v "$@" .)
(cd "$root/internal/pipetest" && go test -run Soak -timeout 180m -v "$@" .)
