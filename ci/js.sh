#!/usr/bin/env bash
# Checks the TypeScript client: its packages, its types, that what is generated from spec/ is up to date, and its tests
# against the real server. SPILE_E2E_BINARY names a binary that is built already.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root/clients/js"

# Only when the lock file is another than that of the last time: npm ci begins by deleting everything.
if ! cmp -s package-lock.json node_modules/.spile-lock.json; then
	npm ci --no-audit --no-fund --loglevel=error
	cp package-lock.json node_modules/.spile-lock.json
fi
npm run --silent gen:check
npm run --silent types
node scripts/test.mjs
