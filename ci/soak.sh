#!/usr/bin/env bash
# Runs the long tests: those that are named Soak, in full length. The arguments go to go test.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root/e2e"
SPILE_SOAK=1 go test -run Soak -timeout 60m -v "$@" .
