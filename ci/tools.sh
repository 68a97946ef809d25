# Sourced by the other scripts: pinned tools, installed through the Go module proxy into bin/tools.

GOLANGCI_VERSION=v2.15.0
GOLANGCI_MODULE=github.com/golangci/golangci-lint/v2/cmd/golangci-lint

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools="$root/bin/tools"

# golangci prints the path of the pinned linter, and installs it first if need be.
golangci() {
	local bin="$tools/golangci-lint-$GOLANGCI_VERSION"
	if [ ! -x "$bin" ]; then
		echo "installing golangci-lint $GOLANGCI_VERSION" >&2
		GOBIN="$tools" GOFLAGS= go install "$GOLANGCI_MODULE@$GOLANGCI_VERSION" >&2
		mv "$tools/golangci-lint" "$bin"
	fi
	echo "$bin"
}

# modules prints the folder of every Go module of the repository, the root first.
modules() {
	(cd "$root" && find . -name go.mod -not -path '*/node_modules/*' -not -path '*/testdata/*' | sort | xargs -n1 dirname)
}
