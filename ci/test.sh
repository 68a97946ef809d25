#!/usr/bin/env bash
# Runs the tests of every module; the arguments go to go test.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"
for dir in $(modules); do
	echo "== $dir: go test $*"
	(cd "$dir" && go test "$@" ./...)
done
