#!/usr/bin/env bash
# Runs the long tests: those that are named Soak, in full length. The arguments go to go test.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
export SPILE_SOAK=1
(cd "$root/e2e" && go test -tags soak -run Soak -timeout 60m -v "$@" .)
(cd "$root/internal/pipetest" && go test -run Soak -timeout 180m -v "$@" .)
