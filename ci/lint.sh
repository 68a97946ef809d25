#!/usr/bin/env bash
# Checks format, go vet and the linters in every module.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"

unformatted=$(git ls-files --cached --others --exclude-standard -- '*.go' ':!:*/testdata/*' | xargs -r gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted (run make fmt):\n%s\n' "$unformatted" >&2
	exit 1
fi
linter=$(golangci)
(cd lint && go build -o "$tools/spile-lint" ./cmd/spile-lint)
failed=0
for dir in $(modules); do
	echo "== $dir: vet and lint"
	(cd "$dir" && go vet ./... && "$linter" run --config "$root/.golangci.yml" ./... &&
		"$tools/spile-lint" ./...) || failed=1
done
exit $failed
