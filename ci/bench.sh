#!/usr/bin/env bash
# Runs the benchmarks; they make their own log files and want a quiet machine.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"
if [ ! -f bench/go.mod ]; then
	echo "bench: there are no benchmarks" >&2
	exit 1
fi
cd bench && go test -run '^$' -bench . -benchtime 3x -timeout 60m ./...
