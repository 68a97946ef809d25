#!/usr/bin/env bash
# Runs the tests of every module, all of them even if one fails; the arguments go to go test.
#
# Most of these tests run real processes against each other, and one in many thousand runs finds what no other did. A
# test that fails is run once more, alone: when it passes then, it is named at the end, and is a defect to be found, but
# it does not hide what the other tests say. A data race, a panic or more than five failures (subtests count) are never
# run again.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"
runner=$(gotestsum)
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT

failed=()
for dir in $(modules); do
	# These wait for real processes most of the time, so that more of them than there are processors go at once.
	wide=()
	[ "$dir" = ./e2e ] && wide=(-parallel 6)
	echo "== $dir: go test $* ${wide[*]}"
	(cd "$dir" && "$runner" --format pkgname --format-hide-empty-pkg --format-icons text \
		--rerun-fails=1 --rerun-fails-max-failures=5 --rerun-fails-abort-on-data-race --rerun-fails-run-root-test \
		--rerun-fails-report="$again/${dir//\//_}" --packages=./... -- "$@" "${wide[@]}") || failed+=("$dir")
done
if [ -n "$(cat "$again"/* 2>/dev/null)" ]; then
	echo "== tests that were run again (a defect each, in the test or in what it tests):"
	cat "$again"/*
fi
if [ ${#failed[@]} -gt 0 ]; then
	echo "== tests failed in: ${failed[*]}" >&2
	exit 1
fi
