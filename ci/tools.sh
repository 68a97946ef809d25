# Sourced by the other scripts: pinned tools, installed through the Go module proxy into bin/tools.

GOLANGCI_VERSION=v2.15.0
GOLANGCI_MODULE=github.com/golangci/golangci-lint/v2/cmd/golangci-lint

GOTESTSUM_VERSION=v1.13.0
GOTESTSUM_MODULE=gotest.tools/gotestsum

TOXIPROXY_VERSION=v2.5.0
TOXIPROXY_MODULE=github.com/Shopify/toxiproxy/v2/cmd/server

# NODE_LEAST is the oldest major version of Node for clients and page; NODE_VERSION comes where that is not there.
NODE_LEAST=20
NODE_VERSION=22

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools="$root/bin/tools"

# pinned prints the path of the tool of a module at a version, and installs it first if need be. Its name is the last
# word of the module's path, or the third argument.
pinned() {
	local module=$1 version=$2 name=${1##*/}
	local bin="$tools/${3:-$name}-$version"
	if [ ! -x "$bin" ]; then
		echo "installing $name $version" >&2
		GOBIN="$tools" GOFLAGS= go install "$module@$version" >&2
		mv "$tools/$name" "$bin"
	fi
	echo "$bin"
}

# golangci, gotestsum and toxiproxy print the path of the linter, of the runner of the tests, and of the proxy by which
# they disturb the network.
golangci() { pinned "$GOLANGCI_MODULE" "$GOLANGCI_VERSION"; }
gotestsum() { pinned "$GOTESTSUM_MODULE" "$GOTESTSUM_VERSION"; }
toxiproxy() { pinned "$TOXIPROXY_MODULE" "$TOXIPROXY_VERSION" toxiproxy; }

# modules prints the folder of every Go module of the repository, the root first.
modules() {
	(cd "$root" && find . -name go.mod -not -path '*/node_modules/*' -not -path '*/testdata/*' | sort | xargs -n1 dirname)
}

# with_node puts a Node that is new enough on the PATH: the machine's, else one that npm brings into bin/node.
with_node() {
	local major
	major=$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')
	if [ "${major:-0}" -ge "$NODE_LEAST" ]; then
		return
	fi
	local bin="$root/bin/node/node_modules/.bin"
	if [ ! -x "$bin/node" ]; then
		echo "installing node $NODE_VERSION" >&2
		npm install --silent --no-audit --no-fund --prefix "$root/bin/node" "node@$NODE_VERSION" >&2
	fi
	PATH="$bin:$PATH"
}
