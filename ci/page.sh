#!/usr/bin/env bash
# Checks the page: its types and unit tests, that ui/dist is what ui/src is built to, and its flows in a real browser
# against a real server. The arguments go to the run in the browser, such as `-t 'live view'`.
#
# SPILE_PICTURES names the folder for the pictures of every view (default ui/shots); SPILE_PAGE_SOAK=600 runs the soak
# test in full length, that many seconds, in place of its short form.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root/ui"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
npm run --silent check
npm run --silent test

cp -r dist "$work/dist"
npm run --silent build -- --logLevel warn
if ! diff -rq "$work/dist" dist; then
	echo 'ui/dist was not what ui/src is built to; it is now: look at it and commit it' >&2
	exit 1
fi

(cd "$root" && go build -o "$work/spile" ./cmd/spile)
SPILE_BIN="$work/spile" npm run --silent e2e -- "$@"
